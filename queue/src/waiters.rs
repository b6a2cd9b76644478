//! Tasks that wait for the same thing.

use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};
use slab::Slab;

/// Tasks that wait for a condition; as many as there are futures of [`wait`](Self::wait).
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    wakers: RefCell<Slab<Waker>>,
}

impl Waiters {
    /// How many wait.
    pub(crate) fn count(&self) -> usize {
        self.wakers.borrow().len()
    }

    /// Has all of them look again.
    pub(crate) fn wake(&self) {
        for (_, waker) in self.wakers.borrow().iter() {
            waker.wake_by_ref();
        }
    }

    /// Waits until `is_ready`, which is looked at now and after each [`wake`](Self::wake).
    pub(crate) async fn wait(&self, is_ready: impl Fn() -> bool) {
        let place = Place {
            waiters: self,
            key: Cell::new(None),
        };
        poll_fn(|context| {
            if is_ready() {
                return Poll::Ready(());
            }
            place.register(context);
            Poll::Pending
        })
        .await;
    }
}

/// A task's place among those that wait.
struct Place<'w> {
    waiters: &'w Waiters,
    key: Cell<Option<usize>>,
}

impl Place<'_> {
    fn register(&self, context: &Context<'_>) {
        let mut wakers = self.waiters.wakers.borrow_mut();
        match self.key.get().and_then(|key| wakers.get_mut(key)) {
            Some(waker) => waker.clone_from(context.waker()),
            None => self.key.set(Some(wakers.insert(context.waker().clone()))),
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key.get() {
            self.waiters.wakers.borrow_mut().remove(key);
        }
    }
}
