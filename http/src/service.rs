//! What the connections of one server share.

use crate::Limits;
use crate::access::Access;
use crate::date::DateCache;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};
use core::task::{Context, Poll, Waker};
use fata_task::Handle;

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

/// Tells any number of waiting tasks that the server stops.
#[derive(Default)]
pub(crate) struct StopSignal {
    set: Cell<bool>,
    last: Cell<u64>,
    wakers: RefCell<BTreeMap<u64, Waker>>,
}

impl StopSignal {
    pub(crate) fn is_set(&self) -> bool {
        self.set.get()
    }

    pub(crate) fn set(&self) {
        self.set.set(true);
        let wakers = self.wakers.take();
        wakers.into_values().for_each(Waker::wake);
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
    pub(crate) fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.signal.is_set() {
            return Poll::Ready(());
        }
        let mut wakers = self.signal.wakers.borrow_mut();
        match wakers.get_mut(&self.key) {
            Some(waker) => waker.clone_from(context.waker()),
            None => {
                wakers.insert(self.key, context.waker().clone());
            }
        }
        Poll::Pending
    }
}

impl Drop for StopListener<'_> {
    fn drop(&mut self) {
        self.signal.wakers.borrow_mut().remove(&self.key);
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
