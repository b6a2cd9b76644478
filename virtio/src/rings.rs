//! The memory of a queue (section 2.7), and nothing but memory: every index is taken modulo
//! the queue's size.

use crate::access::Field;
use crate::dma::{Dma, Operations};
use crate::{SetUpError, access};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};
use virtio_drivers::{BufferDirection, PAGE_SIZE, PhysAddr};

/// The descriptor goes on with the one in `next` (section 2.7.5).
pub(crate) const NEXT: u16 = 1;
/// The device writes the descriptor's memory.
pub(crate) const WRITE: u16 = 2;
/// The descriptor's memory is a table of descriptors (section 2.7.5.3).
pub(crate) const INDIRECT: u16 = 4;

/// `VIRTQ_AVAIL_F_NO_INTERRUPT` (section 2.7.6).
const NO_INTERRUPT: u16 = 1;
/// `VIRTQ_USED_F_NO_NOTIFY` (section 2.7.8).
const NO_NOTIFY: u16 = 1;

/// `virtq_desc` (section 2.7.5).
#[repr(C, align(16))]
pub(crate) struct Descriptor {
    address: AtomicU64,
    length: AtomicU32,
    flags: AtomicU16,
    next: AtomicU16,
}

impl Descriptor {
    #[inline(always)]
    pub(crate) fn write(&self, address: PhysAddr, length: u32, flags: u16, next: u16) {
        Field::store(&self.address, address, Ordering::Relaxed);
        Field::store(&self.length, length, Ordering::Relaxed);
        Field::store(&self.flags, flags, Ordering::Relaxed);
        Field::store(&self.next, next, Ordering::Relaxed);
    }
}

/// `virtq_used_elem` (section 2.7.8).
#[repr(C)]
struct UsedEntry {
    id: AtomicU32,
    length: AtomicU32,
}

/// Where the parts are, in bytes from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    available: usize,
    used: usize,
    end: usize,
}

impl Layout {
    /// Alignment of the used ring: for legacy devices a page (section 2.7.2), for others
    /// a cache line, as the driver writes what is before it.
    fn new(size: u16, legacy: bool) -> Self {
        let size = usize::from(size);
        let available = size * size_of::<Descriptor>();
        let alignment = if legacy { PAGE_SIZE } else { 64 };
        let used = (available + 2 * (3 + size)).next_multiple_of(alignment);
        Self {
            available,
            used,
            end: used + 2 * 3 + size * size_of::<UsedEntry>(),
        }
    }
}

/// Descriptor table, available ring and used ring.
pub(crate) struct Rings {
    memory: Dma,
    layout: Layout,
    /// The queue's size, a power of two, less one.
    mask: u16,
}

impl Rings {
    /// Zeroed rings for a power of two of descriptors.
    pub(crate) fn new(
        hal: &'static Operations,
        size: u16,
        legacy: bool,
    ) -> Result<Self, SetUpError> {
        debug_assert!(size.is_power_of_two());
        let layout = Layout::new(size, legacy);
        Ok(Self {
            memory: Dma::new(hal, layout.end, BufferDirection::Both)?,
            layout,
            mask: size - 1,
        })
    }

    pub(crate) fn size(&self) -> u16 {
        self.mask + 1
    }

    /// Where the device finds descriptors, available ring and used ring.
    pub(crate) fn addresses(&self) -> [PhysAddr; 3] {
        [0, self.layout.available, self.layout.used]
            .map(|offset| self.memory.address() + offset as PhysAddr)
    }

    /// # Safety
    /// A `T` lies at `offset`, aligned, and all its fields are atomic.
    #[inline(always)]
    unsafe fn at<T>(&self, offset: usize) -> &T {
        debug_assert!(offset + size_of::<T>() <= self.layout.end);
        // SAFETY: as the caller promises; the memory lives as long as `self`.
        unsafe { self.memory.start().byte_add(offset).cast().as_ref() }
    }

    #[inline(always)]
    fn slot(&self, index: u16) -> usize {
        usize::from(index & self.mask)
    }

    #[inline(always)]
    pub(crate) fn descriptor(&self, index: u16) -> &Descriptor {
        // SAFETY: the table has as many entries as the mask lets through.
        unsafe { self.at(self.slot(index) * size_of::<Descriptor>()) }
    }

    /// Word `index` of the available ring: flags, index, entries, `used_event`.
    #[inline(always)]
    fn available(&self, index: usize) -> &AtomicU16 {
        // SAFETY: the callers name words of the ring.
        unsafe { self.at(self.layout.available + 2 * index) }
    }

    /// Half a word of the used ring: flags, index, and behind the entries `avail_event`.
    #[inline(always)]
    fn used(&self, offset: usize) -> &AtomicU16 {
        // SAFETY: the callers name fields of the ring.
        unsafe { self.at(self.layout.used + offset) }
    }

    /// Puts the head of a chain where the device looks next but for the index.
    #[inline(always)]
    pub(crate) fn set_available(&self, index: u16, head: u16) {
        Field::store(
            self.available(2 + self.slot(index)),
            head,
            Ordering::Relaxed,
        );
    }

    /// Shows the device all that was written before.
    #[inline(always)]
    pub(crate) fn set_available_index(&self, index: u16) {
        Field::store(self.available(1), index, Ordering::Release);
    }

    pub(crate) fn set_no_interrupt(&self, on: bool) {
        let flags = if on { NO_INTERRUPT } else { 0 };
        Field::store(self.available(0), flags, Ordering::Relaxed);
    }

    pub(crate) fn set_used_event(&self, index: u16) {
        let field = self.available(2 + usize::from(self.size()));
        Field::store(field, index, Ordering::Relaxed);
    }

    /// How far the device has come. Entries before it can be read afterwards.
    #[inline(always)]
    pub(crate) fn used_index(&self) -> u16 {
        Field::load(self.used(2), Ordering::Acquire)
    }

    /// Chain and length that the device has put there: anything.
    #[inline(always)]
    pub(crate) fn used_entry(&self, index: u16) -> (u32, u32) {
        let offset = self.layout.used + 4 + self.slot(index) * size_of::<UsedEntry>();
        // SAFETY: the ring has as many entries as the mask lets through.
        let entry: &UsedEntry = unsafe { self.at(offset) };
        (
            Field::load(&entry.id, Ordering::Relaxed),
            Field::load(&entry.length, Ordering::Relaxed),
        )
    }

    pub(crate) fn no_notify(&self) -> bool {
        Field::load(self.used(0), Ordering::Relaxed) & NO_NOTIFY != 0
    }

    pub(crate) fn available_event(&self) -> u16 {
        let offset = 4 + usize::from(self.size()) * size_of::<UsedEntry>();
        Field::load(self.used(offset), Ordering::Relaxed)
    }
}

/// Tables for indirect chains, one for each head.
pub(crate) struct Tables {
    memory: Dma,
    /// Descriptors in each.
    entries: usize,
    mask: u16,
}

impl Tables {
    pub(crate) fn new(
        hal: &'static Operations,
        size: u16,
        entries: usize,
    ) -> Result<Self, SetUpError> {
        debug_assert!(size.is_power_of_two());
        let bytes = usize::from(size) * entries * size_of::<Descriptor>();
        Ok(Self {
            memory: Dma::new(hal, bytes, BufferDirection::DriverToDevice)?,
            entries,
            mask: size - 1,
        })
    }

    fn offset(&self, head: u16) -> usize {
        usize::from(head & self.mask) * self.entries * size_of::<Descriptor>()
    }

    /// Where the device finds the table of `head`.
    pub(crate) fn address(&self, head: u16) -> PhysAddr {
        self.memory.address() + self.offset(head) as PhysAddr
    }

    /// The table of `head`.
    pub(crate) fn table(&self, head: u16) -> &[Descriptor] {
        // SAFETY: the tables lie there, one for each head that the mask lets through; all
        // fields are atomic.
        unsafe {
            let start = self.memory.start().byte_add(self.offset(head)).cast();
            NonNull::slice_from_raw_parts(start, self.entries).as_ref()
        }
    }
}

/// Returns whether the other side wants to be told that an index went from `old` to `new`, having
/// asked for it at `event` (section 2.7.7.1).
pub(crate) fn passes(event: u16, old: u16, new: u16) -> bool {
    new.wrapping_sub(event).wrapping_sub(1) < new.wrapping_sub(old)
}

pub(crate) use access::fence;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_follow_each_other() {
        // Section 2.7.2, by hand for 256 descriptors.
        let legacy = Layout {
            available: 4096,
            used: 8192,
            end: 8192 + 6 + 2048,
        };
        assert_eq!(Layout::new(256, true), legacy);
        let modern = Layout {
            available: 4096,
            used: 4672,
            end: 4672 + 6 + 2048,
        };
        assert_eq!(Layout::new(256, false), modern);
        for shift in 0..16 {
            let layout = Layout::new(1 << shift, false);
            assert!(layout.available.is_multiple_of(16) && layout.used.is_multiple_of(4));
        }
    }

    #[test]
    fn an_event_is_passed_across_the_wrap() {
        assert!(passes(65_534, 65_534, 0));
        assert!(passes(65_535, 65_534, 0));
        assert!(!passes(0, 65_534, 0));
        assert!(!passes(65_533, 65_534, 0));
        for old in [0u16, 1, 32_767, 65_530] {
            for step in 0..8 {
                for event in 0..16u16 {
                    let event = old.wrapping_sub(8).wrapping_add(event);
                    let passed = (0..step).any(|index| old.wrapping_add(index) == event);
                    let new = old.wrapping_add(step);
                    assert_eq!(passes(event, old, new), passed, "{event} {old} {new}");
                }
            }
        }
    }
}
