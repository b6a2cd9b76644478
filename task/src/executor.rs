use crate::Handle;
use crate::idle::{Idle, Unparker};
use crate::inner::Inner;
use crate::sync::Ordering;
use alloc::rc::Rc;
use alloc::sync::Arc;
use core::fmt;
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use fata_time::Clock;

/// Runs tasks, one at a time, on the core that calls [`block_on`](Self::block_on).
pub struct Executor {
    inner: Rc<Inner>,
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor").finish_non_exhaustive()
    }
}

impl Executor {
    /// An executor whose timers follow `clock`.
    pub fn new(clock: impl Clock + 'static) -> Self {
        Self {
            inner: Rc::new(Inner::new(clock)),
        }
    }

    /// A handle, to spawn tasks and to tell the time.
    pub fn handle(&self) -> Handle {
        Handle::new(Rc::clone(&self.inner))
    }

    /// Runs `main`, and beside it all tasks that are spawned, until `main` is done.
    /// Tasks that still run then stay as they are until the next call, or until the
    /// executor is dropped.
    pub fn block_on<F: Future>(&self, idle: &impl Idle, main: F) -> F::Output {
        let mut main = pin!(main);
        let root = self.inner.ticket(None);
        let root_waker = Waker::from(Arc::clone(&root));
        root_waker.wake_by_ref();
        let unparker = idle.unparker();
        loop {
            // One round: the tasks that are ready now. Those that these wake are for the next
            // round, so that device events and timers get their turn between two rounds.
            self.inner.begin_round();
            while let Some(ticket) = self.inner.next_of_round() {
                // Not a store: whoever found the ticket queued, and so leaves it at that, has
                // to have its work seen by the poll that follows.
                ticket.queued.swap(false, Ordering::AcqRel);
                if let Some(key) = ticket.key {
                    self.inner.poll_task(ticket, key);
                } else if Arc::ptr_eq(&ticket, &root) {
                    let polled = main.as_mut().poll(&mut Context::from_waker(&root_waker));
                    if let Poll::Ready(output) = polled {
                        return output;
                    }
                }
            }
            self.wait_for_work(idle, &unparker);
        }
    }

    fn wait_for_work(&self, idle: &impl Idle, unparker: &Option<Unparker>) {
        self.inner.fire_timers();
        if self.inner.is_out_of_work(unparker) {
            let deadline = self.inner.timers.borrow().next();
            idle.wait(deadline);
            self.inner.forget_unparker();
            self.inner.fire_timers();
        } else {
            idle.poll();
        }
    }
}

impl Drop for Executor {
    /// Drops all tasks. They may hold handles, which would keep them alive for ever.
    fn drop(&mut self) {
        self.inner.clear();
    }
}
