//! CONSOLE of a process.

use super::Idler;
use fata_console::Stdio;

/// The standard input and output.
pub type Console = Stdio;

/// Writes all of `bytes`, without the heap or a lock.
pub(crate) fn write(bytes: &[u8]) {
    Stdio::write_all(bytes);
}

pub(crate) fn open(idler: &Idler) -> Console {
    Stdio::new(idler.reactor())
}
