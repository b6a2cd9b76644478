//! CLOCK: what time it is, on every platform of a Fata program.
//!
//! [`Clock`] is the device trait. It offers monotonic time, as an [`Instant`] in
//! nanoseconds that never runs back, and wall-clock time, as a [`Duration`] since
//! 1970-01-01 00:00:00 UTC that may be unknown.
#![no_std]

#[cfg(not(fata_vm))]
extern crate std;

#[cfg(any(fata_vm, test))]
mod calibration;
mod date;
mod discipline;
mod fake;
#[cfg(not(fata_vm))]
mod host;
mod instant;
#[cfg(fata_vm)]
mod machine;
#[cfg(any(fata_vm, test))]
mod pvclock;
#[cfg(any(fata_vm, test))]
mod rtc;
#[cfg(any(fata_vm, test))]
mod scale;
#[cfg(any(fata_vm, test))]
mod tsc;

pub use date::DateTime;
pub use discipline::{Correction, Discipline, MAX_FREQUENCY, MAX_SLEW, STEP_THRESHOLD};
pub use fake::FakeClock;
#[cfg(not(fata_vm))]
pub use host::HostClock;
pub use instant::Instant;
#[cfg(fata_vm)]
pub use machine::{MachineClock, Speed};

use core::time::Duration;

/// A clock device.
///
/// Implementations are small and `Copy` where the hardware allows it; in a virtual
/// machine image the clock is a zero-sized type.
pub trait Clock {
    /// The monotonic time. Never less than any value returned before.
    fn now(&self) -> Instant;

    /// The wall-clock time since the Unix epoch (UTC, without leap seconds), or `None`
    /// where nothing tells it.
    fn wall(&self) -> Option<Duration>;
}
