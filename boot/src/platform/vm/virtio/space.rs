//! Ranges of addresses, in which devices find their places.

use alloc::vec::Vec;

/// Addresses from `start` to before `end`; none if that is not above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Space {
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Space {
    /// So many addresses.
    pub(super) const fn of(start: u64, size: u64) -> Self {
        Self {
            start,
            end: start.saturating_add(size),
        }
    }

    /// Begins at a multiple of `alignment`, a power of two.
    #[must_use]
    pub(super) fn aligned(self, alignment: u64) -> Self {
        let start = self.start.checked_next_multiple_of(alignment);
        Self {
            start: start.unwrap_or(self.end),
            ..self
        }
    }

    /// Takes `size` addresses, a power of two, off the start, aligned to their number. Returns
    /// the first of them.
    pub(super) fn take(&mut self, size: u64) -> Option<u64> {
        let aligned = self.aligned(size.max(1));
        let end = aligned.start.checked_add(size)?;
        if end > self.end {
            return None;
        }
        self.start = end;
        Some(aligned.start)
    }

    /// The largest part that is outside of all of `used`.
    pub(super) fn largest_gap(self, all: Vec<Self>) -> Self {
        // There are few, and a sort is several kilobytes of code.
        let mut used = Vec::with_capacity(all.len() + 1);
        for space in all.into_iter().filter(|space| space.start < space.end) {
            let place = used.partition_point(|other: &Self| other.start <= space.start);
            used.insert(place, space);
        }
        used.push(Self::of(self.end, 0));
        let mut largest = Self::of(self.start, 0);
        let mut start = self.start;
        for used in used {
            let end = used.start.min(self.end);
            if end > start && end - start > largest.end - largest.start {
                largest = Self { start, end };
            }
            start = start.max(used.end);
        }
        largest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn places_are_aligned_to_their_size() {
        let mut space = Space {
            start: 0x1001,
            end: 0x9000,
        };
        assert_eq!(space.take(0x1000), Some(0x2000));
        assert_eq!(space.take(0x4000), Some(0x4000));
        assert_eq!(space.take(0x1000), Some(0x8000));
        assert_eq!(space.take(1), None);
        let mut last = Space::of(u64::MAX - 10, 100);
        assert_eq!(last.take(16), None);
        assert_eq!(last.aligned(16).start, last.end);
    }

    #[test]
    fn what_is_used_is_left_out() {
        let space = Space {
            start: 100,
            end: 200,
        };
        let gap = |used: &[(u64, u64)]| {
            let used = used.iter().map(|&(start, end)| Space { start, end });
            let Space { start, end } = space.largest_gap(used.collect());
            (start, end)
        };
        assert_eq!(gap(&[]), (100, 200));
        assert_eq!(gap(&[(120, 130), (0, 105)]), (130, 200));
        assert_eq!(gap(&[(190, 300), (110, 120), (50, 60)]), (120, 190));
        assert_eq!(gap(&[(0, 300)]), (100, 100));
        assert_eq!(gap(&[(300, 400), (150, 150)]), (100, 200));
    }

    proptest! {
        #[test]
        fn a_gap_is_the_largest(
            places in prop::collection::vec((0..60_u64, 0..20_u64), 0..8),
        ) {
            let space = Space { start: 10, end: 50 };
            let used: Vec<Space> = places.iter().map(|&(start, size)| Space::of(start, size)).collect();
            let gap = space.largest_gap(used.clone());
            let is_free = |place: u64| {
                (10..50).contains(&place)
                    && !used.iter().any(|used| (used.start..used.end).contains(&place))
            };
            prop_assert!((gap.start..gap.end).all(is_free));
            let longest = (10..50).map(|start| (start..50).take_while(|at| is_free(*at)).count());
            prop_assert_eq!((gap.end - gap.start) as usize, longest.max().unwrap_or(0));
        }
    }
}
