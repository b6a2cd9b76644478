use crate::deadlines::DeadlineKey;
use crate::inner::Inner;
use alloc::rc::Rc;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use fata_time::Instant;

/// The future of [`Handle::sleep`](crate::Handle::sleep).
///
/// Dropping it removes its timer.
#[must_use = "a sleep does nothing unless it is awaited"]
pub struct Sleep {
    executor: Rc<Inner>,
    deadline: Instant,
    key: Option<DeadlineKey>,
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").finish_non_exhaustive()
    }
}

impl Sleep {
    pub(crate) fn new(executor: Rc<Inner>, deadline: Instant) -> Self {
        Self {
            executor,
            deadline,
            key: None,
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if let Some(key) = &this.key {
            // The clock need not be asked: a timer that is due is taken out.
            return match this.executor.timers.borrow_mut().get_mut(key) {
                Some(waker) => {
                    waker.clone_from(context.waker());
                    Poll::Pending
                }
                None => Poll::Ready(()),
            };
        }
        if this.executor.clock.now() >= this.deadline {
            return Poll::Ready(());
        }
        let mut timers = this.executor.timers.borrow_mut();
        this.key = Some(timers.insert(this.deadline, context.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = &self.key {
            let waker = self.executor.timers.borrow_mut().remove(key);
            // Its drop may run arbitrary code, so no borrow is held any more.
            drop(waker);
        }
    }
}
