//! What the connections of one server share.

use crate::Limits;
use crate::access::Access;
use crate::date::DateCache;
use alloc::boxed::Box;
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use fata_task::Handle;
use fata_time::Instant;
use slab::Slab;

/// Is called after each answer.
pub(crate) type AccessLog = Box<dyn Fn(&Access<'_>)>;

pub(crate) struct Service {
    pub(crate) tasks: Handle,
    pub(crate) limits: Limits,
    pub(crate) log: Option<AccessLog>,
    pub(crate) date: DateCache,
    pub(crate) stop: Rc<StopSignal>,
    pub(crate) slots: Slots,
    /// Whether a connection waits for a place.
    pub(crate) crowded: Cell<bool>,
}

impl Service {
    pub(crate) fn new(tasks: Handle) -> Self {
        Self {
            date: DateCache::new(tasks.clone()),
            tasks,
            limits: Limits::default(),
            log: None,
            stop: Rc::default(),
            slots: Slots::default(),
            crowded: Cell::new(false),
        }
    }

    /// Whether connections may go on after their current answer.
    pub(crate) fn wants_keep_alive(&self) -> bool {
        !self.stop.is_set() && !self.crowded.get()
    }
}

/// Tells connections to end: all of them when the server stops, and those that wait for a
/// request or the rest of its head when it has no place for new ones.
#[derive(Default)]
pub(crate) struct StopSignal {
    set: Cell<bool>,
    waiting: RefCell<Slab<Waiting>>,
}

struct Waiting {
    waker: Waker,
    /// Since when the connection is idle, or the head of a request arrives, unless it is busy.
    idle: Option<Instant>,
    evicted: bool,
}

impl StopSignal {
    pub(crate) fn is_set(&self) -> bool {
        self.set.get()
    }

    pub(crate) fn set(&self) {
        self.set.set(true);
        for (_, waiting) in self.waiting.borrow().iter() {
            waiting.waker.wake_by_ref();
        }
    }

    /// Tells the connection to end that has waited for the longest time for a request or the
    /// rest of its head, if that is at least `least`.
    pub(crate) fn evict(&self, now: Instant, least: Duration) {
        let mut waiting = self.waiting.borrow_mut();
        let oldest = waiting
            .iter_mut()
            .map(|(_, waiting)| waiting)
            .filter(|waiting| !waiting.evicted)
            .filter(|waiting| waiting.idle.is_some_and(|idle| now.since(idle) >= least))
            .min_by_key(|waiting| waiting.idle);
        if let Some(oldest) = oldest {
            oldest.evicted = true;
            oldest.waker.wake_by_ref();
        }
    }

    /// A place to wait at; it is given up when it is dropped.
    pub(crate) fn listen(&self) -> StopListener<'_> {
        StopListener {
            signal: self,
            key: Cell::new(None),
        }
    }
}

pub(crate) struct StopListener<'s> {
    signal: &'s StopSignal,
    /// Its place, once it has waited.
    key: Cell<Option<usize>>,
}

impl StopListener<'_> {
    /// Ready if the connection is to end. `idle` says since when it is idle.
    pub(crate) fn poll(&self, context: &mut Context<'_>, idle: Option<Instant>) -> Poll<()> {
        if self.signal.is_set() {
            return Poll::Ready(());
        }
        let mut waiting = self.signal.waiting.borrow_mut();
        match self.key.get().and_then(|key| waiting.get_mut(key)) {
            Some(waiting) if waiting.evicted => return Poll::Ready(()),
            Some(waiting) => {
                waiting.waker.clone_from(context.waker());
                waiting.idle = idle;
            }
            None => {
                let waker = context.waker().clone();
                let key = waiting.insert(Waiting {
                    waker,
                    idle,
                    evicted: false,
                });
                self.key.set(Some(key));
            }
        }
        Poll::Pending
    }

    /// Ready if the connection is to make room. The head of a request arrives since `start`.
    pub(crate) fn poll_evicted(&self, context: &mut Context<'_>, start: Instant) -> Poll<()> {
        // Heads that arrive are still answered when the server stops.
        if !self.signal.is_set() && self.poll(context, Some(start)).is_ready() {
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// Whether the connection was told to make room.
    pub(crate) fn is_evicted(&self) -> bool {
        let waiting = self.signal.waiting.borrow();
        let place = self.key.get().and_then(|key| waiting.get(key));
        place.is_some_and(|waiting| waiting.evicted)
    }

    /// The connection is not idle any more.
    pub(crate) fn set_busy(&self) {
        let mut waiting = self.signal.waiting.borrow_mut();
        if let Some(waiting) = self.key.get().and_then(|key| waiting.get_mut(key)) {
            waiting.idle = None;
        }
    }
}

impl Drop for StopListener<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key.get() {
            self.signal.waiting.borrow_mut().remove(key);
        }
    }
}

/// Counts the connections that are open.
#[derive(Default)]
pub(crate) struct Slots {
    used: Cell<usize>,
    waiting: Cell<Option<Waker>>,
}

impl Slots {
    pub(crate) fn used(&self) -> usize {
        self.used.get()
    }

    /// Ready when fewer than `limit` connections are open. One task may wait.
    pub(crate) fn poll_below(&self, context: &mut Context<'_>, limit: usize) -> Poll<()> {
        if self.used.get() < limit {
            return Poll::Ready(());
        }
        self.waiting.set(Some(context.waker().clone()));
        Poll::Pending
    }

    pub(crate) fn occupy(&self) {
        self.used.set(self.used.get() + 1);
    }

    pub(crate) fn release(&self) {
        self.used.set(self.used.get() - 1);
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }
}
