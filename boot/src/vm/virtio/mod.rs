//! Discovery of virtio devices, over MMIO and PCI.

mod announcement;
mod dma;
mod entropy;
mod mmio;
mod pages;
mod pci;
mod transport;

use super::interrupts::Interrupt;
use core::fmt;
use virtio_drivers::transport::DeviceType;

pub(crate) use dma::Identity;
pub(super) use entropy::Entropy;
pub(super) use mmio::announce;
use transport::Transport;

/// A device that was found, not set up yet.
pub(crate) struct Device {
    pub(crate) transport: Transport,
    /// Raised by all of the device's queues.
    #[cfg_attr(
        not(any(feature = "disk", feature = "net", feature = "terminal")),
        expect(dead_code, reason = "the entropy device is polled")
    )]
    pub(crate) interrupt: Interrupt,
}

/// Why a device that is there cannot be used.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DeviceError {
    /// The device has no interrupt that this machine can route.
    NoInterrupt,
    /// The device does not follow the virtio specification.
    Broken,
    /// The device took longer than it may.
    NoAnswer,
}

impl fmt::Display for DeviceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoInterrupt => {
                "a virtio device has no usable interrupt; over PCI it needs MSI-X (vectors=0 \
                 takes that away)"
            }
            Self::Broken => "a virtio device does not follow the specification",
            Self::NoAnswer => "a virtio device does not answer; its backend may be blocked",
        })
    }
}

/// The first device of a kind, or `None` if the machine has none. Each device can be had
/// once.
///
/// # Errors
/// [`DeviceError`] if there is one that cannot be used.
pub(crate) fn find(kind: DeviceType) -> Result<Option<Device>, DeviceError> {
    match mmio::find(kind)? {
        Some(device) => Ok(Some(device)),
        None => pci::find(kind),
    }
}
