//! CONSOLE: where a Fata program writes for people, and reads what they type.
//!
//! [`Console`] is the device trait. [`init`] makes a console the sink of the `log`
//! crate, with time stamps and a [`Filter`] of levels per target.
#![no_std]

extern crate alloc;
#[cfg(not(fata_vm))]
extern crate std;

mod filter;
mod line;
mod logger;

#[cfg(not(fata_vm))]
mod output;
#[cfg(not(fata_vm))]
mod stdio;
#[cfg(fata_vm)]
mod uart;
#[cfg(feature = "virtio")]
mod virtio;

pub use filter::{Filter, FilterError};
pub use logger::init;
#[cfg(not(fata_vm))]
pub use stdio::Stdio;
#[cfg(fata_vm)]
pub use uart::Uart;
#[cfg(feature = "virtio")]
pub use virtio::VirtioConsole;

use core::fmt;

/// A console device: bytes out and bytes in.
#[allow(
    async_fn_in_trait,
    reason = "one core, one executor: no future has to be Send"
)]
pub trait Console {
    /// Writes all of `bytes`. What the device cannot take is lost.
    fn write(&self, bytes: &[u8]);

    /// Waits for input and reads some of it to `buffer`. Returns how many bytes it read;
    /// zero is the end of the input.
    async fn read(&self, buffer: &mut [u8]) -> usize;
}

/// A console that people sit at: it may have a size, and output waits for them.
#[allow(
    async_fn_in_trait,
    reason = "one core, one executor: no future has to be Send"
)]
pub trait Terminal: Console {
    /// Writes all of `bytes`, and waits where [`Console::write`] would lose some.
    async fn write_all(&self, bytes: &[u8]);

    /// Waits until the device has taken all that was written. Without it, what was
    /// written last may be lost at the program's end.
    async fn flush(&self);

    /// How much it shows, if that is known.
    fn size(&self) -> Option<Size>;

    /// Waits for a change of size since the last call, and returns the new one. Where
    /// there is nothing to tell of changes, it waits for ever.
    async fn resized(&self) -> Option<Size>;
}

/// The size of a terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Characters in a row.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} columns, {} rows", self.columns, self.rows)
    }
}
