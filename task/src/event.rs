use core::future::poll_fn;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};

/// Something that happens outside of the tasks, such as a device's interrupt: the home
/// signals it, one task waits for it.
///
/// A signal is kept until a wait takes it, so none is lost between two waits; several
/// signals before a wait count as one. The last task to wait is the one that is woken.
/// Interrupt handlers do not signal events: the home's idle loop does so for them,
/// outside of the handler.
#[derive(Debug, Default)]
pub struct Event {
    signalled: AtomicBool,
    waker: spin::Mutex<Option<Waker>>,
}

impl Event {
    /// An event that was not signalled yet.
    pub const fn new() -> Self {
        Self {
            signalled: AtomicBool::new(false),
            waker: spin::Mutex::new(None),
        }
    }

    /// Signals the event and wakes the task that waits for it.
    pub fn signal(&self) {
        self.signalled.store(true, Ordering::Release);
        let waker = self.waker.lock().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Forgets a signal that nobody waited for.
    pub fn clear(&self) {
        self.signalled.store(false, Ordering::Relaxed);
    }

    /// Takes a signal, or registers the task to be woken by the next one.
    pub fn poll_wait(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.signalled.swap(false, Ordering::Acquire) {
            return Poll::Ready(());
        }
        let mut waker = self.waker.lock();
        match &mut *waker {
            Some(known) => known.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        Poll::Pending
    }

    /// Waits for a signal.
    pub async fn wait(&self) {
        poll_fn(|context| self.poll_wait(context)).await;
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use alloc::rc::Rc;

    #[test]
    fn keeps_one_signal() {
        crate::simulate(|tasks| async move {
            let event = Rc::new(Event::new());
            event.signal();
            event.signal();
            event.wait().await;
            let waiting = Rc::clone(&event);
            let waiter = tasks.spawn(async move { waiting.wait().await });
            crate::yield_now().await;
            assert!(
                !waiter.is_finished(),
                "two signals before a wait count as one"
            );
            event.signal();
            assert_eq!(waiter.await, Ok(()));
        });
    }
}
