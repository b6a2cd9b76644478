//! The state that the connections of one server share.

use crate::Limits;
use crate::access::Access;
use crate::date::DateCache;
use crate::room::Room;
use crate::stop::StopSignal;
use alloc::boxed::Box;
use alloc::rc::Rc;
use core::cell::Cell;
use core::task::{Context, Poll, Waker};
use fata_memory::Budget;
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
    pub(crate) room: Room,
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
            room: Room::new(Budget::unbounded()),
        }
    }

    /// True while connections may go on after their current answer.
    pub(crate) fn wants_keep_alive(&self) -> bool {
        !self.stop.is_set() && !self.room.is_crowded()
    }

    /// Most connections.
    pub(crate) fn places(&self) -> usize {
        self.limits.connections.max(1)
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
