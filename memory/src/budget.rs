use crate::lease::Lease;
use crate::part::{Part, PerPart};
use crate::shared::{Gauge, Share, Shared};
use crate::tally;
use alloc::rc::Rc;

/// The memory of a program. Clones are handles to the same budget.
#[derive(Clone, Debug)]
pub struct Budget {
    pub(crate) shared: Rc<Shared>,
}

/// The memory that the parts of a program hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Bytes that may be held in all; `usize::MAX` if there is no bound.
    pub limit: usize,
    /// Bytes that each of [`Part::ALL`] has taken.
    pub leased: PerPart<usize>,
    /// Bytes that each of [`Part::ALL`] has allocated, if [`tally`](crate::tally) counts them.
    pub allocated: Option<PerPart<usize>>,
}

impl Default for Budget {
    /// An [unbounded](Self::unbounded) budget.
    fn default() -> Self {
        Self::unbounded()
    }
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self::build(limit, [Share::ANY; Part::ALL.len()], None)
    }

    /// A budget that refuses nothing and counts: that of a process, whose host has more.
    pub fn unbounded() -> Self {
        Self::new(usize::MAX)
    }

    /// The same with a share for a part. Floors that do not fit together are lowered.
    ///
    /// # Panics
    /// If the budget is in use.
    pub fn with_share(self, part: Part, share: Share) -> Self {
        let (limit, gauge) = (self.shared.limit, self.shared.gauge);
        assert_eq!(self.shared.total.get(), 0, "nothing is leased yet");
        let mut shares = self.shared.shares;
        shares[part.index()].floor = 0;
        let others: usize = shares.iter().map(|share| share.floor).sum();
        shares[part.index()] = Share {
            floor: share.floor.min(share.most).min(limit - others),
            ..share
        };
        Self::build(limit, shares, gauge)
    }

    /// The same, which also refuses while `free` tells fewer than `reserve` bytes beyond those
    /// that are asked for. It is given their number, and tells 0 if they are not free in one piece.
    ///
    /// # Panics
    /// If the budget is in use.
    pub fn with_gauge(self, reserve: usize, free: fn(usize) -> usize) -> Self {
        assert_eq!(self.shared.total.get(), 0, "nothing is leased yet");
        let gauge = Gauge { reserve, free };
        Self::build(self.shared.limit, self.shared.shares, Some(gauge))
    }

    fn build(limit: usize, shares: PerPart<Share>, gauge: Option<Gauge>) -> Self {
        Self {
            shared: Rc::new(Shared::new(limit, shares, gauge)),
        }
    }

    /// A lease of nothing that can grow.
    pub fn empty(&self, part: Part) -> Lease {
        Lease::new(&self.shared, part, 0)
    }

    /// Takes memory for a part, or `None` if there is no room.
    pub fn try_take(&self, part: Part, bytes: usize) -> Option<Lease> {
        self.try_take_leaving(part, bytes, 0)
    }

    /// Takes memory for a part if `spare` bytes more could be taken after it. So work that can
    /// wait leaves room for work that cannot.
    pub fn try_take_leaving(&self, part: Part, bytes: usize, spare: usize) -> Option<Lease> {
        let fits = self.shared.grow(part, bytes, spare);
        fits.then(|| Lease::new(&self.shared, part, bytes))
    }

    /// Bytes that a part could take if no part held any.
    pub fn most(&self, part: Part) -> usize {
        let shares = &self.shared.shares;
        let floors: usize = shares.iter().map(|share| share.floor).sum();
        let Share { floor, most } = shares[part.index()];
        most.min(self.shared.limit - (floors - floor))
    }

    /// Bytes that a part could take now.
    pub fn room(&self, part: Part) -> usize {
        self.shared.room(part, 0)
    }

    /// Bytes that may be held in all; `usize::MAX` if there is no bound.
    pub fn limit(&self) -> usize {
        self.shared.limit
    }

    /// Bytes that a part has taken.
    pub fn used(&self, part: Part) -> usize {
        self.shared.used[part.index()].get()
    }

    /// The memory that the parts hold.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            limit: self.shared.limit,
            leased: Part::ALL.map(|part| self.used(part)),
            allocated: tally::allocated(),
        }
    }
}
