use super::climate::{Climate, WeatherCounts};
use alloc::rc::Rc;
use core::cell::Cell;

/// One direction's climate, and what has come of it.
pub(super) struct Way {
    pub(super) climate: Cell<Climate>,
    pub(super) counts: Cell<WeatherCounts>,
}

impl Way {
    pub(super) fn new(climate: Climate) -> Rc<Self> {
        Rc::new(Self {
            climate: Cell::new(climate),
            counts: Cell::default(),
        })
    }
}

/// Tells what a [`Weather`](super::Weather) did, and changes it while it is in use. Clones are
/// handles to the same weather.
#[derive(Clone)]
pub struct WeatherHandle {
    pub(super) outgoing: Rc<Way>,
    pub(super) incoming: Rc<Way>,
}

impl WeatherHandle {
    /// Sets what happens to frames that are transmitted from here on. Those on their way
    /// arrive as it was decided.
    pub fn set_outgoing(&self, climate: Climate) {
        self.outgoing.climate.set(climate);
    }

    /// Sets what happens to frames that are received from here on.
    pub fn set_incoming(&self, climate: Climate) {
        self.incoming.climate.set(climate);
    }

    /// What has happened to transmitted frames.
    pub fn outgoing(&self) -> WeatherCounts {
        self.outgoing.counts.get()
    }

    /// What has happened to received frames.
    pub fn incoming(&self) -> WeatherCounts {
        self.incoming.counts.get()
    }
}
