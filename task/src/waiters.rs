use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};
use slab::Slab;

/// Tasks that wait for a condition; as many as there are futures of [`wait`](Self::wait). One
/// that is dropped leaves nothing behind.
#[derive(Debug, Default)]
pub struct Waiters {
    wakers: RefCell<Slab<Waker>>,
}

impl Waiters {
    /// How many wait.
    pub fn count(&self) -> usize {
        self.wakers.borrow().len()
    }

    /// Has all of them look again.
    pub fn wake(&self) {
        for (_, waker) in self.wakers.borrow().iter() {
            waker.wake_by_ref();
        }
    }

    /// Waits until `is_ready`, which is looked at now and after each [`wake`](Self::wake).
    pub async fn wait(&self, is_ready: impl Fn() -> bool) {
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

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use alloc::rc::Rc;

    #[test]
    fn all_who_wait_look_again() {
        crate::simulate(|tasks| async move {
            let shared = Rc::new((Waiters::default(), Cell::new(false)));
            let waiter = || {
                let shared = Rc::clone(&shared);
                tasks.spawn(async move { shared.0.wait(|| shared.1.get()).await })
            };
            let tasks = [waiter(), waiter()];
            crate::yield_now().await;
            assert_eq!(shared.0.count(), 2);
            shared.0.wake();
            crate::yield_now().await;
            assert_eq!(shared.0.count(), 2, "in vain");
            shared.1.set(true);
            shared.0.wake();
            for task in tasks {
                assert_eq!(task.await, Ok(()));
            }
            assert_eq!(shared.0.count(), 0);
        });
    }

    #[test]
    fn one_that_gives_up_leaves_nothing_behind() {
        crate::simulate(|tasks| async move {
            let waiters = Waiters::default();
            for _ in 0..3 {
                let pause = core::time::Duration::from_secs(1);
                let waited = tasks.timeout(pause, waiters.wait(|| false)).await;
                assert!(waited.is_err());
                assert_eq!(waiters.count(), 0);
            }
        });
    }
}
