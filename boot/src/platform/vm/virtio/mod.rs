//! Discovery of virtio devices, over MMIO and PCI.

mod announcement;
mod description;
mod dma;
mod entropy;
mod legacy;
mod mmio;
mod pages;
mod pci;
mod slot;
mod space;
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
    /// All vectors are other devices'.
    NoVector,
    /// No I/O APIC takes in the device's interrupt, which has this number.
    NoInput(u32),
    /// A PCI device cannot send its interrupt as a message.
    NoMessages,
    /// More PCI devices are in use than there is room to note.
    TooMany,
    /// The list of a PCI device's capabilities never ends.
    EndlessCapabilities,
    /// A PCI device has neither the registers of a modern nor those of a legacy device.
    NoRegisters,
    /// The registers of a PCI device lie outside of what it decodes.
    OutsideBar,
    /// Neither the firmware nor Fata found a place for the registers of a PCI device.
    NotPlaced,
    /// The registers of a PCI device cannot be mapped.
    NotMapped,
    /// The device's queue cannot be set up.
    NoQueue,
    /// The device returned something else than it was given.
    BrokenQueue,
    /// The device took longer than it may.
    NoAnswer,
}

impl fmt::Display for DeviceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoVector => "no interrupt is left for a virtio device; give the machine fewer",
            Self::NoInput(number) => {
                return write!(
                    f,
                    "no I/O APIC takes in interrupt {number} of a virtio device; correct \
                     virtio_mmio.device= on the command line, or update the monitor"
                );
            }
            Self::NoMessages => {
                "a virtio device over PCI has no MSI-X, which Fata needs; do not take it away \
                 (vectors=0)"
            }
            Self::TooMany => "more virtio devices over PCI than Fata uses; give the machine fewer",
            Self::EndlessCapabilities => {
                "a virtio device's list of PCI capabilities leads back; update the monitor"
            }
            Self::NoRegisters => {
                "a virtio device has neither modern nor legacy registers; give it one of them \
                 (disable-modern=off)"
            }
            Self::OutsideBar => {
                "a virtio device's registers lie outside of its PCI memory; update the monitor"
            }
            Self::NotPlaced => {
                "there is no place for a virtio device's registers; give the machine fewer PCI \
                 devices, or connect it to bus 0 instead of behind a bridge"
            }
            Self::NotMapped => {
                "a virtio device's registers cannot be mapped; give the machine more memory"
            }
            Self::NoQueue => {
                "a virtio device's queue cannot be set up; give the machine more memory, or the \
                 device a queue of 8 (disable-legacy=on)"
            }
            Self::BrokenQueue => {
                "a virtio device returned what it was not given; the monitor is faulty or hostile"
            }
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
