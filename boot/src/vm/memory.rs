//! Which memory there is: what the boot protocol's map offers, without the image.
//!
//! A sixteenth, but 64 KiB at least and 2 MiB at most, is the devices'; the heap gets the
//! rest.

use super::lock::InterruptLock;
use super::paging;

/// More regions than this are not used. Real maps have fewer than ten.
const REGIONS: usize = 16;
/// Page zero stays unmapped.
const LOWEST: u64 = 4096;
const FOUR_GIB: u64 = 4 << 30;
const PAGE: u64 = 4096;

/// The devices' part of memory, and its bounds in bytes. What a network card shares with
/// its driver for good takes 24 KiB.
const DEVICES_PART: u64 = 16;
const DEVICES_LEAST: u64 = 64 << 10;
const DEVICES_MOST: u64 = 2 << 20;

unsafe extern "C" {
    static __image_start: u8;
    static __image_end: u8;
}

/// A range of physical addresses, in bytes; empty if the end is not above the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Region {
    /// The first address.
    pub(super) start: u64,
    /// The address after the last.
    pub(super) end: u64,
}

impl Region {
    /// Where bytes lie.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let addresses = bytes.as_ptr_range();
        Self {
            start: addresses.start as u64,
            end: addresses.end as u64,
        }
    }

    const fn size(self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Takes at least `size` bytes off the end, in whole pages, or all if it is smaller.
    fn cut_off(&mut self, size: u64) -> Self {
        let start = self.end.saturating_sub(size) / PAGE * PAGE;
        let cut = Self {
            start: start.max(self.start.next_multiple_of(PAGE)),
            end: self.end,
        };
        self.end = self.end.min(cut.start);
        cut
    }
}

/// Free memory that nobody has taken yet, and how much there was.
struct Free {
    regions: [Region; REGIONS],
    total: u64,
    devices: Region,
}

static FREE: InterruptLock<Free> = InterruptLock::new(Free {
    regions: [Region { start: 0, end: 0 }; REGIONS],
    total: 0,
    devices: Region { start: 0, end: 0 },
});

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
    let parts = map
        .flat_map(|region| without(region, image))
        .flat_map(|region| without(region, reserved));
    let usable = parts.filter(|part| part.size() > 0);
    for (slot, part) in free.regions.iter_mut().zip(usable) {
        *slot = part;
    }
    // The largest first: allocators look there first.
    free.regions
        .sort_unstable_by_key(|region| core::cmp::Reverse(region.size()));
    let above = free.regions;
    let spare = free
        .regions
        .iter_mut()
        .find(|region| region.end <= FOUR_GIB && region.size() > 0);
    if let Some(spare) = spare {
        for region in above.into_iter().filter(|region| region.end > FOUR_GIB) {
            // SAFETY: the spare region is free, and lies below 4 GiB.
            unsafe { paging::map(region, spare) };
        }
    }
    let size = |free: &Free| free.regions.iter().map(|region| region.size()).sum::<u64>();
    let part = (size(&free) / DEVICES_PART).clamp(DEVICES_LEAST, DEVICES_MOST);
    free.devices = free.regions[0].cut_off(part);
    free.total = size(&free);
}

/// The parts of a region below and above `hole`, without what cannot be mapped. Either
/// may be empty.
fn without(region: Region, hole: Region) -> [Region; 2] {
    let start = region.start.max(LOWEST);
    let end = region.end.min(paging::END);
    let below = Region {
        start,
        end: end.min(hole.start),
    };
    let above = Region {
        start: start.max(hole.end),
        end,
    };
    [below, above]
}

/// Hands all free memory to `receive`, a region at a time, the largest first. A second
/// call finds nothing.
pub(super) fn take(mut receive: impl FnMut(*mut u8, usize)) {
    let regions = core::mem::take(&mut FREE.lock().regions);
    for region in regions.into_iter().filter(|region| region.size() > 0) {
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
    FREE.lock().total as usize
}
