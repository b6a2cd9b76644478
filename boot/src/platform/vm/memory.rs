//! Which memory there is: what the boot protocol's map offers, without the image.
//!
//! A sixteenth, but 64 KiB at least and 2 MiB at most, is the devices'; the heap gets the
//! rest.

use super::boot_protocol::{Largest, Region};
use super::lock::InterruptLock;
use super::paging;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Page zero stays unmapped.
const LOWEST: u64 = 4096;
const FOUR_GIB: u64 = 4 << 30;

/// The devices' part of memory, and its bounds in bytes. The memory that a NIC
/// shares with its driver for good takes 24 KiB.
const DEVICES_PART: u64 = 16;
const DEVICES_LEAST: u64 = 64 << 10;
const DEVICES_MOST: u64 = 2 << 20;

unsafe extern "C" {
    static __image_start: u8;
    static __image_end: u8;
}

/// Free memory that nobody has taken yet.
struct Free {
    regions: Largest,
    devices: Region,
}

static FREE: InterruptLock<Free> = InterruptLock::new(Free {
    regions: Largest::NONE,
    devices: Region::EMPTY,
});

/// How many bytes the memory map offered, without the image and the devices' memory.
static TOTAL: AtomicUsize = AtomicUsize::new(0);

/// Takes in the usable regions of the memory map, maps them, and keeps them for
/// [`take`], all but the image and `reserved`.
///
/// # Safety
/// Call once, at boot. The regions must be memory that nothing but the image uses, and
/// whoever reads `reserved`.
pub(super) unsafe fn init(map: impl Iterator<Item = Region>, reserved: Region) {
    let image = Region {
        start: &raw const __image_start as u64,
        end: &raw const __image_end as u64,
    };
    let mut free = FREE.lock();
    for region in map {
        for part in mappable(region).without(image) {
            for part in part.without(reserved) {
                free.regions.add(part);
            }
        }
    }
    let above = free.regions.0;
    let spare = free
        .regions
        .0
        .iter_mut()
        .find(|region| region.end <= FOUR_GIB && region.size() > 0);
    if let Some(spare) = spare {
        for region in above.into_iter().filter(|region| region.end > FOUR_GIB) {
            // SAFETY: the spare region is free, and lies below 4 GiB.
            unsafe { paging::map(region, spare) };
        }
    }
    let size = |free: &Free| {
        free.regions
            .0
            .iter()
            .map(|region| region.size())
            .sum::<u64>()
    };
    let part = (size(&free) / DEVICES_PART).clamp(DEVICES_LEAST, DEVICES_MOST);
    free.devices = free.regions.0[0].cut_off(part);
    TOTAL.store(size(&free) as usize, Ordering::Relaxed);
}

/// The part of a region that can be mapped.
fn mappable(region: Region) -> Region {
    Region {
        start: region.start.max(LOWEST),
        end: region.end.min(paging::END),
    }
}

/// Hands all free memory to `receive`, a region at a time, the largest first. A second
/// call finds nothing.
pub(super) fn take(mut receive: impl FnMut(*mut u8, usize)) {
    let regions = core::mem::replace(&mut FREE.lock().regions, Largest::NONE);
    for region in regions.0.into_iter().filter(|region| region.size() > 0) {
        receive(region.start as *mut u8, region.size() as usize);
    }
}

/// The devices' memory: its address, which is that of a page, and its size in bytes.
pub(super) fn devices() -> (usize, usize) {
    let devices = FREE.lock().devices;
    (devices.start as usize, devices.size() as usize)
}

/// How many bytes the memory map offered, without the image and the devices' memory.
pub(super) fn total() -> usize {
    TOTAL.load(Ordering::Relaxed)
}
