//! CONSOLE: where a Fata program writes for people, and reads what they type.
//!
//! [`Console`] is the device trait. [`init`] makes a console the sink of the `log`
//! crate, with time stamps and a [`Filter`] of levels per target.
#![no_std]

#[cfg(not(fata_vm))]
extern crate std;

mod filter;
mod line;
mod logger;

#[cfg(not(fata_vm))]
mod stdio;
#[cfg(fata_vm)]
mod uart;

pub use filter::{Filter, FilterError};
pub use logger::init;
#[cfg(not(fata_vm))]
pub use stdio::Stdio;
#[cfg(fata_vm)]
pub use uart::Uart;

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
