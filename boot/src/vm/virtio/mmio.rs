//! virtio over MMIO (virtio 1.2, section 4.2), announced on the command line.

use super::super::lock::InterruptLock;
use super::super::{apic, interrupts};
use super::announcement;
use super::{Device, DeviceError, Transport};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ptr::NonNull;
use virtio_drivers::transport::mmio::{MmioTransport, VirtIOHeader};
use virtio_drivers::transport::{DeviceType, Transport as _};

/// Announcements beyond this number are passed over. QEMU's microvm has 24 slots.
const SLOTS: usize = 32;

/// Where devices are, as it was announced: read once somebody looks for one. Empty where
/// the device has been taken.
static ANNOUNCED: InterruptLock<Vec<Box<str>>> = InterruptLock::new(Vec::new());

/// Takes in a word of the command line if it announces a device. Returns whether it does.
pub(crate) fn announce(word: &str) -> bool {
    let Some(place) = announcement::place(word) else {
        return false;
    };
    let place = Box::from(place);
    let mut announced = ANNOUNCED.lock();
    if announced.len() < SLOTS {
        announced.push(place);
    }
    true
}

/// The first announced device of a kind. It is taken off the list.
pub(super) fn find(kind: DeviceType) -> Result<Option<Device>, DeviceError> {
    // The lock is not held over an iteration, which takes it anew.
    let count = ANNOUNCED.lock().len();
    for index in 0..count {
        let slot = announcement::parse(&ANNOUNCED.lock()[index]);
        let Some(slot) = slot else {
            continue;
        };
        let header = slot.base as *mut VirtIOHeader;
        let header = NonNull::new(header).ok_or(DeviceError::Broken)?;
        // SAFETY: the monitor announced a device there, outside of memory, and the
        // identity map covers it for ever. Empty slots make an error.
        let Ok(transport) = (unsafe { MmioTransport::new(header, slot.size) }) else {
            continue;
        };
        if transport.device_type() == kind {
            ANNOUNCED.lock()[index] = Box::default();
            let interrupt = interrupts::allocate()
                .filter(|interrupt| apic::route(slot.pin, *interrupt))
                .ok_or(DeviceError::NoInterrupt)?;
            return Ok(Some(Device {
                transport: Transport::mmio(transport),
                interrupt,
            }));
        }
        // Dropping the transport would reset a device that something else may use.
        core::mem::forget(transport);
    }
    Ok(None)
}
