//! virtio over MMIO (virtio 1.2, section 4.2), announced on the command line or described by
//! the firmware.

use super::super::lock::InterruptLock;
use super::super::{apic, firmware, interrupts};
use super::slot::Slot;
use super::{Device, DeviceError, Transport, announcement, description};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::iter;
use core::ptr::NonNull;
use virtio_drivers::transport::mmio::{MmioTransport, VirtIOHeader};
use virtio_drivers::transport::{DeviceType, Transport as _};

/// Places beyond this number are passed over. QEMU's microvm has 24 slots.
const SLOTS: usize = 32;

/// Where devices are, as it was announced: read once somebody looks for one.
static ANNOUNCED: InterruptLock<Vec<Box<str>>> = InterruptLock::new(Vec::new());
/// Where devices are that nobody has taken; `None` until somebody looks for one.
static PLACES: InterruptLock<Option<Vec<Slot>>> = InterruptLock::new(None);

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

/// The places that were announced, then those that only the firmware describes.
fn places() -> Vec<Slot> {
    let announced = core::mem::take(&mut *ANNOUNCED.lock());
    let mut places: Vec<Slot> = announced
        .iter()
        .filter_map(|place| announcement::parse(place))
        .collect();
    let tables = firmware::tables();
    let main = tables.find(b"FACP", &mut 0);
    let main = main.map(|fixed| tables.description(fixed));
    let mut next = 0;
    let others = iter::from_fn(|| tables.find(b"SSDT", &mut next));
    for table in main.into_iter().chain(others) {
        let length = tables.length(table) as usize;
        let code = firmware::memory(table.into(), length).unwrap_or_default();
        description::devices(code, |slot| {
            let is_new = places.iter().all(|place| place.base != slot.base);
            if is_new && places.len() < SLOTS {
                places.push(slot);
            }
        });
    }
    places
}

/// The first device of a kind that was not handed out yet.
pub(super) fn find(kind: DeviceType) -> Result<Option<Device>, DeviceError> {
    let left = PLACES.lock().take();
    let mut left = left.unwrap_or_else(places);
    let found = left
        .iter()
        .enumerate()
        .find_map(|(index, slot)| Some((index, open(slot, kind)?)));
    let found = found.map(|(index, transport)| (left.remove(index), transport));
    *PLACES.lock() = Some(left);
    let Some((slot, transport)) = found else {
        return Ok(None);
    };
    let interrupt = interrupts::allocate().ok_or(DeviceError::NoVector)?;
    if !apic::route_any(slot.interrupt, interrupt) {
        return Err(DeviceError::NoInput(slot.interrupt));
    }
    Ok(Some(Device {
        transport: Transport::mmio(transport),
        interrupt,
    }))
}

/// The device at a place, if it is of this kind.
fn open(slot: &Slot, kind: DeviceType) -> Option<MmioTransport<'static>> {
    let header = NonNull::new(slot.base as *mut VirtIOHeader)?;
    // SAFETY: monitor or firmware say that a device is there, outside of memory, and the
    // identity map covers it for ever. Empty slots make an error.
    let transport = unsafe { MmioTransport::new(header, slot.size) }.ok()?;
    if transport.device_type() == kind {
        return Some(transport);
    }
    // Dropping the transport would reset a device that something else may use.
    core::mem::forget(transport);
    None
}
