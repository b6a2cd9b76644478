use crate::{Executor, Handle, Idle};
use alloc::rc::Rc;
use core::future::Future;
use core::time::Duration;
use fata_time::{Clock, FakeClock, Instant};

/// The wall-clock time at which a simulation starts: 2026-01-01T00:00:00Z.
const START: Duration = Duration::from_secs(1_767_225_600);

/// Runs a test under a fake clock: when no task is ready, the clock jumps to the next
/// timer. The same code takes the same course every time, and an hour's sleep costs
/// nothing.
///
/// # Panics
/// If every task waits and no timer is set, as nothing could ever happen again.
pub fn simulate<F: Future>(test: impl FnOnce(Handle) -> F) -> F::Output {
    let clock = Rc::new(FakeClock::at(START));
    let executor = Executor::new(SharedClock(Rc::clone(&clock)));
    executor.block_on(&JumpToDeadline(clock), test(executor.handle()))
}

struct SharedClock(Rc<FakeClock>);

impl Clock for SharedClock {
    fn now(&self) -> Instant {
        self.0.now()
    }

    fn wall(&self) -> Option<Duration> {
        self.0.wall()
    }
}

struct JumpToDeadline(Rc<FakeClock>);

impl Idle for JumpToDeadline {
    fn poll(&self) {}

    fn wait(&self, deadline: Option<Instant>) {
        let deadline = deadline.expect("deadlock: every task waits and no timer is set");
        self.0.advance_to(deadline);
    }
}
