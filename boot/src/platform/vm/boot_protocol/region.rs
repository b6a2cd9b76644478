//! Ranges of physical memory.

use core::mem::swap;

/// How many regions are kept. A machine without UEFI has fewer than ten.
const REGIONS: usize = 16;
const PAGE: u64 = 4096;

/// A range of physical addresses, in bytes; empty if the end is not above the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// The first address.
    pub start: u64,
    /// The address after the last.
    pub end: u64,
}

impl Region {
    /// No memory.
    pub const EMPTY: Self = Self { start: 0, end: 0 };

    /// How many bytes there are.
    pub const fn size(self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// The parts below and above `hole`. Either may be empty.
    pub fn without(self, hole: Self) -> [Self; 2] {
        let below = Self {
            start: self.start,
            end: self.end.min(hole.start),
        };
        let above = Self {
            start: self.start.max(hole.end),
            end: self.end,
        };
        [below, above]
    }

    /// Takes at least `size` bytes off the end, in whole pages, or all if it is smaller.
    pub fn cut_off(&mut self, size: u64) -> Self {
        let start = self.end.saturating_sub(size) / PAGE * PAGE;
        let cut = Self {
            start: start.max(self.start.next_multiple_of(PAGE)),
            end: self.end,
        };
        self.end = self.end.min(cut.start);
        cut
    }
}

/// The largest regions of those that were added, the largest first: allocators look there
/// first.
#[derive(Debug)]
pub struct Largest(pub [Region; REGIONS]);

impl Largest {
    /// None yet.
    pub const NONE: Self = Self([Region::EMPTY; REGIONS]);

    /// Adds a region. If there is no room, the smallest is forgotten.
    pub fn add(&mut self, mut region: Region) {
        for kept in &mut self.0 {
            if region.size() > kept.size() {
                swap(kept, &mut region);
            }
        }
    }
}
