//! virtio over MMIO (virtio 1.2, section 4.2), announced on the command line as QEMU's
//! microvm and Firecracker do: `virtio_mmio.device=<size>@<base>:<interrupt>`.

use super::super::lock::InterruptLock;
use super::super::{apic, interrupts};
use super::{Device, DeviceError, Transport};
use core::ptr::NonNull;
use virtio_drivers::transport::mmio::{MmioTransport, VirtIOHeader};
use virtio_drivers::transport::{DeviceType, Transport as _};

const ANNOUNCEMENT: &str = "virtio_mmio.device=";
/// Announcements beyond this number are passed over. QEMU's microvm has 24 slots.
const SLOTS: usize = 32;
/// MMIO below this address would be memory.
const LOWEST_BASE: usize = 0x8000_0000;
/// The identity map of the boot code ends here.
const END: usize = 0x1_0000_0000;

/// A device's place.
#[derive(Clone, Copy)]
struct Slot {
    base: usize,
    size: usize,
    pin: u32,
}

static SLOTS_ANNOUNCED: InterruptLock<[Option<Slot>; SLOTS]> = InterruptLock::new([None; SLOTS]);

/// Takes in a word of the command line if it announces a device. Returns whether it does.
pub(crate) fn announce(word: &str) -> bool {
    let Some(place) = word.strip_prefix(ANNOUNCEMENT) else {
        return false;
    };
    if let Some(slot) = parse(place) {
        let mut slots = SLOTS_ANNOUNCED.lock();
        if let Some(free) = slots.iter_mut().find(|free| free.is_none()) {
            *free = Some(slot);
        }
    }
    true
}

/// `<size>@<base>:<interrupt>`, perhaps with another field, which is the device's number.
fn parse(place: &str) -> Option<Slot> {
    let (size, rest) = place.split_once('@')?;
    let mut fields = rest.split(':');
    let slot = Slot {
        size: number(size)?,
        base: number(fields.next()?)?,
        pin: u32::try_from(number(fields.next()?)?).ok()?,
    };
    let mapped = slot.base >= LOWEST_BASE && slot.base.checked_add(slot.size)? <= END;
    (mapped && slot.base.is_multiple_of(8)).then_some(slot)
}

/// A number as Linux takes it: decimal or hexadecimal, perhaps with K or M for units.
fn number(text: &str) -> Option<usize> {
    let (digits, unit) = match text.as_bytes().last()? {
        b'K' | b'k' => (&text[..text.len() - 1], 1 << 10),
        b'M' | b'm' => (&text[..text.len() - 1], 1 << 20),
        _ => (text, 1),
    };
    let value = match digits.strip_prefix("0x") {
        Some(hexadecimal) => usize::from_str_radix(hexadecimal, 16),
        None => digits.parse(),
    };
    value.ok()?.checked_mul(unit)
}

/// The first announced device of a kind. It is taken off the list.
pub(super) fn find(kind: DeviceType) -> Result<Option<Device>, DeviceError> {
    for index in 0..SLOTS {
        let Some(slot) = SLOTS_ANNOUNCED.lock()[index] else {
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
            SLOTS_ANNOUNCED.lock()[index] = None;
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
