use crate::part::{Part, PerPart};
use core::cell::Cell;

/// How much a part of the program may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Bytes that are kept for this part: no other part gets them.
    pub floor: usize,
    /// Bytes that this part holds at most.
    pub most: usize,
}

impl Share {
    /// Nothing is kept for the part, and nothing but the budget bounds it.
    pub const ANY: Self = Self {
        floor: 0,
        most: usize::MAX,
    };
}

/// The state that the handles to a budget and its leases share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limit: usize,
    pub(crate) shares: PerPart<Share>,
    pub(crate) used: PerPart<Cell<usize>>,
    pub(crate) total: Cell<usize>,
    /// Sum of what is kept for parts beyond what they hold.
    kept: Cell<usize>,
    pub(crate) gauge: Option<Gauge>,
}

/// Measures what leases cannot know: programs hold more than they say, and allocators need room
/// between blocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gauge {
    /// Bytes that no lease may touch.
    pub(crate) reserve: usize,
    /// Tells how many bytes are free, or none if there is no block of the given size among them.
    pub(crate) free: fn(usize) -> usize,
}

impl Shared {
    pub(crate) fn new(limit: usize, shares: PerPart<Share>, gauge: Option<Gauge>) -> Self {
        let kept = shares.iter().map(|share| share.floor).sum();
        Self {
            limit,
            shares,
            used: Default::default(),
            total: Cell::new(0),
            kept: Cell::new(kept),
            gauge,
        }
    }

    /// Bytes that a part could take now, if it takes a block of so many.
    pub(crate) fn room(&self, part: Part, block: usize) -> usize {
        let Share { floor, most } = self.shares[part.index()];
        let used = self.used[part.index()].get();
        let own = floor.saturating_sub(used);
        let others = self.kept.get() - own;
        let left = self.limit.saturating_sub(self.total.get() + others);
        let measured = self.gauge.map_or(usize::MAX, |gauge| {
            (gauge.free)(block).saturating_sub(gauge.reserve)
        });
        left.min(most.saturating_sub(used)).min(measured)
    }

    /// Takes `bytes` more for a part, if there is room for them and for `spare` others.
    pub(crate) fn grow(&self, part: Part, bytes: usize, spare: usize) -> bool {
        if bytes.saturating_add(spare) > self.room(part, bytes) {
            return false;
        }
        self.set(part, self.used[part.index()].get() + bytes);
        true
    }

    /// Gives `bytes` of a part back.
    pub(crate) fn shrink(&self, part: Part, bytes: usize) {
        self.set(part, self.used[part.index()].get() - bytes);
    }

    fn set(&self, part: Part, bytes: usize) {
        let floor = self.shares[part.index()].floor;
        let used = self.used[part.index()].replace(bytes);
        self.total.set(self.total.get() - used + bytes);
        let kept = self.kept.get() - floor.saturating_sub(used);
        self.kept.set(kept + floor.saturating_sub(bytes));
    }
}
