use crate::executor::Inner;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use fata_time::Instant;

/// The timers of an executor, in the order in which they are due.
#[derive(Default)]
pub(crate) struct Timers {
    due: BTreeMap<(Instant, u64), Waker>,
    /// Tells timers of one instant apart.
    serial: u64,
}

impl Timers {
    fn insert(&mut self, deadline: Instant, waker: Waker) -> u64 {
        self.serial += 1;
        self.due.insert((deadline, self.serial), waker);
        self.serial
    }

    /// When the first timer is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.keys().next().map(|(deadline, _)| *deadline)
    }

    /// Takes the first timer that is due at `now`.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Waker> {
        let first = self.due.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }
}

/// The future of [`Handle::sleep`](crate::Handle::sleep).
///
/// Dropping it removes its timer.
#[must_use = "a sleep does nothing unless it is awaited"]
pub struct Sleep {
    executor: Rc<Inner>,
    deadline: Instant,
    serial: Option<u64>,
}

impl Sleep {
    pub(crate) fn new(executor: Rc<Inner>, deadline: Instant) -> Self {
        Self {
            executor,
            deadline,
            serial: None,
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.executor.clock.now() >= self.deadline {
            return Poll::Ready(());
        }
        let key = self.serial.map(|serial| (self.deadline, serial));
        let mut timers = self.executor.timers.borrow_mut();
        match key.and_then(|key| timers.due.get_mut(&key)) {
            Some(waker) => waker.clone_from(context.waker()),
            None => {
                let serial = timers.insert(self.deadline, context.waker().clone());
                drop(timers);
                self.serial = Some(serial);
            }
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(serial) = self.serial {
            let key = (self.deadline, serial);
            self.executor.timers.borrow_mut().due.remove(&key);
        }
    }
}
