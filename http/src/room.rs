//! The memory of a server: what its connections and requests take of the program's budget.

use core::cell::Cell;
use core::time::Duration;
use fata_memory::{Budget, Lease, Part};
use fata_time::Instant;

/// How long what was lost for lack of memory may take to be sent again.
const RECENT: Duration = Duration::from_secs(5);
/// Bytes that a connection holds while it is idle, beside its task: its first buffer, the list of
/// a head's fields, what is kept of the buffer for answers, and its places in lists.
const IDLE: usize = 1_152;
/// One of so many parts of the budget is left for short requests, two are for new connections.
const PARTS: usize = 16;
pub(crate) struct Room {
    pub(crate) budget: Budget,
    /// Bytes of a connection's task, once there was one.
    task: Cell<usize>,
    /// Requests that may take long.
    pub(crate) long: Cell<usize>,
    /// Requests that wait for more room than short ones need.
    pub(crate) aspiring: Cell<usize>,
    /// How many wait for room or a place.
    pub(crate) waiting: Cell<usize>,
    /// When there was hardly memory for the buffers of connections.
    short: Cell<Option<Instant>>,
    /// When connections were told last to make room, and how many.
    pub(crate) evicted: Cell<(Instant, usize)>,
}

impl Room {
    pub(crate) fn new(budget: Budget) -> Self {
        Self {
            budget,
            task: Cell::new(0),
            long: Cell::new(0),
            aspiring: Cell::new(0),
            waiting: Cell::new(0),
            short: Cell::new(None),
            evicted: Cell::default(),
        }
    }

    /// True while somebody waits for room or a place.
    pub(crate) fn is_crowded(&self) -> bool {
        self.waiting.get() > 0
    }

    /// True while there is so much memory that idle connections may keep some.
    pub(crate) fn is_ample(&self) -> bool {
        self.budget.room(Part::Http) >= self.budget.limit() / 2
    }

    /// True while there is hardly memory for the buffers of connections.
    pub(crate) fn is_network_short(&self, now: Instant) -> bool {
        let share = self.budget.most(Part::Network);
        let is_short = self.budget.room(Part::Network) < share / PARTS;
        if is_short {
            self.short.set(Some(now));
        }
        is_short
    }

    /// True if that is so, or was a moment ago: bytes that arrived then may have been dropped.
    pub(crate) fn was_network_short(&self, now: Instant) -> bool {
        let short = self.short.get();
        self.is_network_short(now) || short.is_some_and(|last| now.since(last) < RECENT)
    }

    /// Takes note of how large a connection's task is.
    pub(crate) fn measure<F>(&self, task: &F) {
        if self.task.replace(size_of_val(task)) == 0 {
            log::debug!(target: "http", "an idle connection takes {} bytes", self.idle());
        }
    }

    /// Room for the heads of requests that are larger than a connection's first buffer.
    pub(crate) fn head(&self) -> Lease {
        self.budget.empty(Part::Http)
    }

    /// Room for one more connection.
    pub(crate) fn connection(&self) -> Option<Lease> {
        self.take(self.idle(), self.reserve())
    }

    /// Bytes of an idle connection.
    fn idle(&self) -> usize {
        IDLE + self.task.get()
    }

    pub(crate) fn reserve(&self) -> usize {
        self.budget.limit() / PARTS
    }

    /// Bytes left to new connections and short requests by work that may take long.
    pub(crate) fn spare_of_long(&self) -> usize {
        3 * self.reserve()
    }

    pub(crate) fn take(&self, bytes: usize, spare: usize) -> Option<Lease> {
        self.budget.try_take_leaving(Part::Http, bytes, spare)
    }
}
