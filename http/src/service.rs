//! What the connections of one server share.

use crate::Limits;
use crate::access::Access;
use crate::date::DateCache;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use fata_task::Handle;
use fata_time::Instant;

/// Is called after each answer.
pub(crate) type AccessLog = Box<dyn Fn(&Access<'_>)>;

pub(crate) struct Service {
    pub(crate) tasks: Handle,
    pub(crate) limits: Limits,
    pub(crate) log: Option<AccessLog>,
    pub(crate) date: DateCache,
    pub(crate) stop: Rc<StopSignal>,
    pub(crate) slots: Slots,
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
        }
    }

    /// Whether connections may go on after their current answer.
    pub(crate) fn wants_keep_alive(&self) -> bool {
        !self.stop.is_set() && self.slots.used() < self.limits.connections
    }
}

/// Tells connections to end: all of them when the server stops, and idle ones when it has
/// no place for new ones.
#[derive(Default)]
pub(crate) struct StopSignal {
    set: Cell<bool>,
    last: Cell<u64>,
    waiting: RefCell<BTreeMap<u64, Waiting>>,
}

struct Waiting {
    waker: Waker,
    /// Since when the connection is idle, unless it is busy.
    idle: Option<Instant>,
    evicted: bool,
}

impl StopSignal {
    pub(crate) fn is_set(&self) -> bool {
        self.set.get()
    }

    pub(crate) fn set(&self) {
        self.set.set(true);
        for waiting in self.waiting.borrow().values() {
            waiting.waker.wake_by_ref();
        }
    }

    /// Tells the connection that has been idle for the longest time to end, if that is at
    /// least `least`.
    pub(crate) fn evict(&self, now: Instant, least: Duration) {
        let mut waiting = self.waiting.borrow_mut();
        let oldest = waiting
            .values_mut()
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
        self.last.set(self.last.get() + 1);
        StopListener {
            signal: self,
            key: self.last.get(),
        }
    }
}

pub(crate) struct StopListener<'s> {
    signal: &'s StopSignal,
    key: u64,
}

impl StopListener<'_> {
    /// Ready if the connection is to end. `idle` says since when it is idle.
    pub(crate) fn poll(&self, context: &mut Context<'_>, idle: Option<Instant>) -> Poll<()> {
        if self.signal.is_set() {
            return Poll::Ready(());
        }
        let mut waiting = self.signal.waiting.borrow_mut();
        match waiting.get_mut(&self.key) {
            Some(waiting) if waiting.evicted => return Poll::Ready(()),
            Some(waiting) => {
                waiting.waker.clone_from(context.waker());
                waiting.idle = idle;
            }
            None => {
                let waker = context.waker().clone();
                let evicted = false;
                waiting.insert(
                    self.key,
                    Waiting {
                        waker,
                        idle,
                        evicted,
                    },
                );
            }
        }
        Poll::Pending
    }

    /// The connection is not idle any more.
    pub(crate) fn set_busy(&self) {
        if let Some(waiting) = self.signal.waiting.borrow_mut().get_mut(&self.key) {
            waiting.idle = None;
        }
    }
}

impl Drop for StopListener<'_> {
    fn drop(&mut self) {
        self.signal.waiting.borrow_mut().remove(&self.key);
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
