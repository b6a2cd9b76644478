use super::parameters::{Impairment, ImpairmentCounts};
use alloc::rc::Rc;
use core::cell::Cell;

/// One direction's impairment, and what has come of it.
pub(super) struct Way {
    pub(super) impairment: Cell<Impairment>,
    pub(super) counts: Cell<ImpairmentCounts>,
}

impl Way {
    pub(super) fn new(impairment: Impairment) -> Rc<Self> {
        Rc::new(Self {
            impairment: Cell::new(impairment),
            counts: Cell::default(),
        })
    }
}

/// Tells what an [`ImpairedNet`](super::ImpairedNet) did, and changes it while it is in use.
/// Clones are handles to the same.
#[derive(Clone)]
pub struct ImpairmentHandle {
    pub(super) outgoing: Rc<Way>,
    pub(super) incoming: Rc<Way>,
}

impl ImpairmentHandle {
    /// Sets what happens to frames that are transmitted from here on. Those on their way
    /// arrive as it was decided.
    pub fn set_outgoing(&self, impairment: Impairment) {
        self.outgoing.impairment.set(impairment);
    }

    /// Sets what happens to frames that are received from here on.
    pub fn set_incoming(&self, impairment: Impairment) {
        self.incoming.impairment.set(impairment);
    }

    /// Counts of transmitted frames.
    pub fn outgoing(&self) -> ImpairmentCounts {
        self.outgoing.counts.get()
    }

    /// Counts of received frames.
    pub fn incoming(&self) -> ImpairmentCounts {
        self.incoming.counts.get()
    }
}
