use crate::sync::Mutex;
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};

/// Something that happens outside of the tasks, such as a device's interrupt: the platform
/// signals it, one task waits for it.
///
/// A signal is kept until a wait takes it, so none is lost between two waits; several
/// signals before a wait count as one. The last task to wait is the one that is woken.
/// Interrupt handlers do not signal events: the platform's idle loop does so for them,
/// outside of the handler.
#[derive(Debug, Default)]
pub struct Event {
    // Both under one lock: a signal from another thread either is seen by a wait or finds
    // its waker.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    signalled: bool,
    waker: Option<Waker>,
}

impl Event {
    /// An event that was not signalled yet.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self {
            state: Mutex::new(State {
                signalled: false,
                waker: None,
            }),
        }
    }

    /// An event that was not signalled yet.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Signals the event and wakes the task that waits for it.
    pub fn signal(&self) {
        let mut state = self.state.lock();
        state.signalled = true;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Forgets a signal that nobody waited for.
    pub fn clear(&self) {
        self.state.lock().signalled = false;
    }

    /// Takes a signal, or registers the task to be woken by the next one.
    pub fn poll_wait(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        if core::mem::take(&mut state.signalled) {
            return Poll::Ready(());
        }
        match &mut state.waker {
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
