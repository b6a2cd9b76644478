//! CONSOLE of a process.

use super::Idler;
use fata_console::Stdio;

/// The standard input and output.
pub type Console = Stdio;

/// Writes `bytes`, without the heap or a lock. Bytes that nobody takes within a second are lost.
pub(crate) fn write(bytes: &[u8]) {
    Stdio::write_or_lose(bytes);
}

pub(crate) fn open(idler: &Idler) -> Console {
    Stdio::new(idler.reactor())
}
