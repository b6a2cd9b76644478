use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use core::time::Duration;
use fata_task::{Handle, Sleep};
use fata_time::Instant;

/// The deadline of a connection's current wait.
///
/// It keeps one timer and leaves it where it is while deadlines move into the future,
/// because every request moves them and hardly any is ever reached.
pub(crate) struct Watchdog {
    tasks: Handle,
    started: Instant,
    deadline: Instant,
    timer: Option<(Instant, Sleep)>,
}

impl Watchdog {
    pub(crate) fn new(tasks: Handle) -> Self {
        Self {
            started: Instant::default(),
            deadline: Instant::default(),
            tasks,
            timer: None,
        }
    }

    /// Sets the deadline, by the time of the executor's round: early by that much at most.
    pub(crate) fn start(&mut self, limit: Duration) {
        self.started = self.tasks.coarse_now();
        self.deadline = self.started + limit;
    }

    /// When the deadline was set.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// True once the deadline has passed; otherwise the task will be woken when it does.
    pub(crate) fn poll_expired(&mut self, context: &mut Context<'_>) -> bool {
        loop {
            let (due, sleep) = match &mut self.timer {
                Some((due, sleep)) if *due <= self.deadline => (*due, sleep),
                timer => {
                    let sleep = self.tasks.sleep_until(self.deadline);
                    let (due, sleep) = timer.insert((self.deadline, sleep));
                    (*due, sleep)
                }
            };
            if Pin::new(sleep).poll(context).is_pending() {
                return false;
            }
            self.timer = None;
            if due >= self.deadline {
                return true;
            }
        }
    }

    /// Waits for `future`, or until the deadline that was set.
    pub(crate) async fn until<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if self.poll_expired(context) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Waits for `future` for at most `limit`. Does not look at the clock unless it has
    /// to wait.
    pub(crate) async fn guard<F: Future>(
        &mut self,
        limit: Duration,
        future: F,
    ) -> Option<F::Output> {
        let mut future = pin!(future);
        let mut started = false;
        poll_fn(|context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            if !started {
                started = true;
                self.start(limit);
            }
            if self.poll_expired(context) {
                Poll::Ready(None)
            } else {
                Poll::Pending
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_move_both_ways() {
        fata_task::simulate(|tasks| async move {
            let mut watchdog = Watchdog::new(tasks.clone());
            let seconds = Duration::from_secs;
            for _ in 0..3 {
                // The first timer fires during the second wait, which goes on.
                let quick = tasks.sleep(seconds(7));
                assert!(watchdog.guard(seconds(10), quick).await.is_some());
            }
            assert_eq!(tasks.now().as_millis(), 21_000);
            let slow = tasks.sleep(seconds(50));
            assert!(watchdog.guard(seconds(2), slow).await.is_none());
            assert_eq!(tasks.now().as_millis(), 23_000);
        });
    }
}
