use crate::Sleep;
use crate::inner::{Inner, Ticket};
use crate::{Either, select};
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::sync::Arc;
use async_unsync::oneshot::{self, Receiver};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use fata_time::{Correction, Discipline, Instant};

/// Spawns tasks on an executor, and tells and passes its time.
///
/// Cloning is cheap. A handle does not keep the executor's tasks running.
#[derive(Clone)]
pub struct Handle {
    inner: Rc<Inner>,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl Handle {
    pub(crate) fn new(inner: Rc<Inner>) -> Self {
        Self { inner }
    }

    /// Starts a task. It runs on when the [`JoinHandle`] is dropped.
    pub fn spawn<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> JoinHandle<T> {
        let (sender, receiver) = oneshot::channel().into_split();
        let task = async move {
            // Nobody may be interested in the result any more.
            let _ = sender.send(future.await);
        };
        JoinHandle {
            ticket: self.inner.insert(Box::pin(task)),
            inner: Rc::clone(&self.inner),
            receiver,
        }
    }

    /// Starts a task whose end nobody waits for. It costs an allocation less than
    /// [`spawn`](Self::spawn).
    pub fn spawn_detached(&self, future: impl Future<Output = ()> + 'static) {
        self.inner.insert(Box::pin(future));
    }

    /// True if the executor has memory for one more task and a timer of it, besides what the task
    /// itself takes. Who takes work in asks before: without memory, [`spawn`](Self::spawn) ends the
    /// program.
    pub fn has_room(&self) -> bool {
        self.inner.can_grow()
    }

    /// The monotonic time.
    pub fn now(&self) -> Instant {
        self.inner.clock.now()
    }

    /// The monotonic time, read once a round of the executor at most: never later than
    /// [`now`](Self::now), and earlier by as long as the tasks of one round have run at most.
    /// For deadlines that are set often and may be met that much too early.
    pub fn coarse_now(&self) -> Instant {
        self.inner.coarse_now()
    }

    /// The wall-clock time since the Unix epoch, if it is known: that of the platform, or as it
    /// was [corrected](Self::correct_wall) since.
    pub fn wall(&self) -> Option<Duration> {
        match self.inner.wall.get() {
            Some(wall) => Some(wall.wall(self.now())),
            None => self.inner.clock.wall(),
        }
    }

    /// Takes in that a reference shows `reference` since the Unix epoch now. From here on,
    /// [`wall`](Self::wall) follows it: slewed, or by a step if it was off by more than
    /// [`STEP_THRESHOLD`](fata_time::STEP_THRESHOLD) or unknown.
    ///
    /// This is the program's own notion of the time. Neither its monotonic time changes,
    /// nor the clock of the machine or the host that it runs on.
    pub fn correct_wall(&self, reference: Duration) -> Correction {
        let now = self.now();
        // A time that nobody knows counts as 1970.
        let started = || Discipline::new(now, self.inner.clock.wall().unwrap_or_default());
        let mut wall = self.inner.wall.get().unwrap_or_else(started);
        let correction = wall.correct(now, reference);
        self.inner.wall.set(Some(wall));
        correction
    }

    /// Takes in that the monotonic clock loses `frequency` nanoseconds a second against a
    /// reference, at most [`MAX_FREQUENCY`](fata_time::MAX_FREQUENCY) either way. From here
    /// on, [`wall`](Self::wall) makes up for it. Does nothing before the first correction.
    pub fn set_wall_frequency(&self, frequency: i32) {
        if let Some(mut wall) = self.inner.wall.get() {
            wall.set_frequency(self.now(), frequency);
            self.inner.wall.set(Some(wall));
        }
    }

    /// Waits for `duration`, or slightly longer, never less.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        self.sleep_until(self.now() + duration)
    }

    /// Waits until `deadline`. Ready at once if that has passed.
    pub fn sleep_until(&self, deadline: Instant) -> Sleep {
        Sleep::new(Rc::clone(&self.inner), deadline)
    }

    /// Runs `future` for at most `duration`, and drops it then.
    ///
    /// # Errors
    /// [`Elapsed`] if the time was up first.
    pub async fn timeout<F: Future>(
        &self,
        duration: Duration,
        future: F,
    ) -> Result<F::Output, Elapsed> {
        match select(future, self.sleep(duration)).await {
            Either::First(output) => Ok(output),
            Either::Second(()) => Err(Elapsed),
        }
    }
}

/// The time was up before the future was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("timed out")
    }
}

impl core::error::Error for Elapsed {}

/// The task was cancelled before it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled;

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task was cancelled")
    }
}

impl core::error::Error for Cancelled {}

/// A spawned task: await it for the task's result, or [`cancel`](Self::cancel) it.
///
/// Dropping the handle lets the task run on by itself.
pub struct JoinHandle<T> {
    inner: Rc<Inner>,
    ticket: Arc<Ticket>,
    receiver: Receiver<T>,
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").finish_non_exhaustive()
    }
}

impl<T> JoinHandle<T> {
    /// Ends the task where it waits. Its future is dropped before this returns, unless
    /// the task cancels itself: then it ends with its current poll.
    pub fn cancel(&self) {
        self.inner.cancel(&self.ticket);
    }

    /// True once the task has ended, by itself or cancelled.
    pub fn is_finished(&self) -> bool {
        !self.inner.contains(&self.ticket)
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, Cancelled>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.receiver)
            .poll(context)
            .map_err(|_| Cancelled)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::{simulate, yield_now};
    use core::cell::{Cell, RefCell};
    use std::vec::Vec;

    #[test]
    fn sleeps_end_in_order_of_their_deadlines() {
        let log = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&log);
        simulate(|tasks| async move {
            let start = tasks.now();
            for seconds in [3, 1, 2] {
                let (tasks, log) = (tasks.clone(), Rc::clone(&log));
                let sleeper = tasks.clone();
                tasks.spawn(async move {
                    sleeper.sleep(Duration::from_secs(seconds)).await;
                    log.borrow_mut()
                        .push((seconds, (sleeper.now() - start).as_secs()));
                });
            }
            tasks.sleep(Duration::from_secs(10)).await;
        });
        assert_eq!(*seen.borrow(), [(1, 1), (2, 2), (3, 3)]);
    }

    #[test]
    fn a_task_is_polled_only_when_woken() {
        struct CountPolls(Rc<Cell<u32>>);
        impl Future for CountPolls {
            type Output = ();
            fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
                self.0.set(self.0.get() + 1);
                Poll::Pending
            }
        }
        let polls = Rc::new(Cell::new(0));
        let counter = Rc::clone(&polls);
        simulate(|tasks| async move {
            tasks.spawn(CountPolls(counter));
            for _ in 0..100 {
                yield_now().await;
                tasks.sleep(Duration::from_millis(1)).await;
            }
        });
        assert_eq!(polls.get(), 1);
    }

    #[test]
    fn the_coarse_time_is_that_of_the_round() {
        use crate::{Executor, Idle};
        use fata_time::{Clock, FakeClock};

        struct Shared(Rc<FakeClock>);
        impl Clock for Shared {
            fn now(&self) -> Instant {
                self.0.now()
            }
            fn wall(&self) -> Option<Duration> {
                None
            }
        }
        struct Busy;
        impl Idle for Busy {
            fn poll(&self) {}
            fn wait(&self, _: Option<Instant>) {
                panic!("the task is always ready");
            }
        }
        let clock = Rc::new(FakeClock::new());
        let executor = Executor::new(Shared(Rc::clone(&clock)));
        let tasks = executor.handle();
        executor.block_on(&Busy, async {
            let first = tasks.coarse_now();
            clock.advance(Duration::from_secs(1));
            assert_eq!(tasks.coarse_now(), first);
            assert_eq!(tasks.now() - first, Duration::from_secs(1));
            yield_now().await;
            assert_eq!(tasks.coarse_now(), tasks.now());
        });
    }

    #[test]
    fn what_a_round_leaves_is_run_by_the_next_call() {
        use crate::{Executor, Idle};
        use fata_time::FakeClock;

        struct Busy;
        impl Idle for Busy {
            fn poll(&self) {}
            fn wait(&self, _: Option<Instant>) {
                panic!("a task that was woken is lost");
            }
        }
        let executor = Executor::new(FakeClock::new());
        let ran = Rc::new(Cell::new(0));
        for _ in 0..2 {
            // Ends while the tasks that it has spawned before are in its own round.
            executor.block_on(&Busy, async {
                for _ in 0..3 {
                    let ran = Rc::clone(&ran);
                    let task = async move { ran.set(ran.get() + 1) };
                    executor.handle().spawn_detached(task);
                }
            });
        }
        executor.block_on(&Busy, async {
            while ran.get() < 6 {
                yield_now().await;
            }
        });
    }

    #[test]
    fn cancelling_drops_the_future() {
        let alive = Rc::new(());
        let held = Rc::clone(&alive);
        simulate(|tasks| async move {
            let sleeper = tasks.clone();
            let task = tasks.spawn(async move {
                sleeper.sleep(Duration::MAX).await;
                drop(held);
            });
            yield_now().await;
            assert!(!task.is_finished());
            task.cancel();
            assert!(task.is_finished());
            assert_eq!(Rc::strong_count(&alive), 1);
            assert_eq!(task.await, Err(Cancelled));
        });
    }

    #[test]
    fn timeout_cancels_what_is_late_and_removes_its_timer() {
        simulate(|tasks| async move {
            let quick = tasks.timeout(Duration::from_secs(1), async { 7 }).await;
            assert_eq!(quick, Ok(7));
            let slow = tasks.sleep(Duration::from_secs(5));
            let late = tasks.timeout(Duration::from_secs(1), slow).await;
            assert_eq!(late, Err(Elapsed));
            assert_eq!(tasks.now().as_millis(), 1_000);
            assert_eq!(tasks.inner.timers.borrow().next(), None);
        });
    }

    #[test]
    fn a_corrected_wall_clock_leaves_monotonic_time_alone() {
        simulate(|tasks| async move {
            let (now, wall) = (tasks.now(), tasks.wall().expect("a simulation knows it"));
            let hour = Duration::from_secs(3_600);
            tasks.set_wall_frequency(1_000);
            assert_eq!(tasks.wall(), Some(wall), "nothing was corrected yet");
            assert!(tasks.correct_wall(wall + hour).stepped);
            assert_eq!((tasks.now(), tasks.wall()), (now, Some(wall + hour)));
            let back = Duration::from_millis(1);
            assert!(!tasks.correct_wall(wall + hour - back).stepped);
            tasks.set_wall_frequency(1_000);
            tasks.sleep(hour).await;
            assert_eq!(tasks.now() - now, hour);
            let gained = Duration::from_micros(3_600);
            assert_eq!(tasks.wall(), Some(wall + hour * 2 - back + gained));
        });
    }

    #[test]
    fn tasks_that_still_run_are_dropped_with_the_executor() {
        let alive = Rc::new(());
        let held = Rc::clone(&alive);
        simulate(|tasks| async move {
            let inner = tasks.clone();
            tasks.spawn(async move {
                inner.sleep(Duration::MAX).await;
                drop(held);
            });
            yield_now().await;
        });
        assert_eq!(Rc::strong_count(&alive), 1);
    }

    #[test]
    fn places_are_given_back_after_a_crowd() {
        simulate(|tasks| async move {
            let sleeper = tasks.clone();
            let lasting = tasks.spawn(async move { sleeper.sleep(Duration::MAX).await });
            for _ in 0..1_000 {
                tasks.spawn(async {});
            }
            assert!(tasks.inner.places() >= 1_000);
            tasks.sleep(Duration::from_secs(1)).await;
            assert!(tasks.inner.places() < 20, "{}", tasks.inner.places());
            assert!(!lasting.is_finished());
        });
    }

    #[test]
    fn a_bounded_channel_blocks_its_sender() {
        let received = simulate(|tasks| async move {
            let (sender, mut receiver) = crate::channel::bounded::channel(2).into_split();
            tasks.spawn(async move {
                for number in 0..100 {
                    sender.send(number).await.expect("the receiver lives");
                }
            });
            let mut sum = 0;
            while let Some(number) = receiver.recv().await {
                sum += number;
            }
            sum
        });
        assert_eq!(received, 4_950);
    }
}
