//! A device and its memory in the same process and thread, for the tests of drivers.
//!
//! [`FakeDevice::new`] gives the driver's transport and the test's device. The device has an
//! honest side, [`DeviceQueue`], and a [`Hostile`] one, which a script of bytes drives.
//! Nothing here trusts the driver either: what breaks the specification panics.

mod hostile;
mod memory;
mod queue;
pub mod schedule;
pub mod torture;
mod transport;

pub use hostile::{Hostile, Script};
pub use memory::{FakeHal, assert_nothing_shared};
pub use queue::{Chain, DeviceQueue};
pub use transport::{FakeDevice, FakeTransport};
