use crate::{Executor, Handle, Idle, Unparker};
use alloc::sync::Arc;
use core::future::Future;
use fata_time::{Clock, HostClock, Instant};
use std::thread::{self, Thread};

/// Waits by parking the thread.
struct Parked(Thread);

impl Idle for Parked {
    fn poll(&self) {}

    fn wait(&self, deadline: Option<Instant>) {
        match deadline {
            Some(deadline) => thread::park_timeout(deadline - HostClock.now()),
            None => thread::park(),
        }
    }

    fn unparker(&self) -> Option<Unparker> {
        let thread = self.0.clone();
        Some(Arc::new(move || thread.unpark()))
    }
}

/// Runs a future to its end on this thread, for programs of the host that are no programs of
/// Fata. While nothing is ready the thread is parked; other threads that wake tasks end that.
///
/// ```
/// use std::time::Duration;
///
/// let answer = fata_task::block_on(|tasks| async move {
///     tasks.sleep(Duration::from_millis(1)).await;
///     42
/// });
/// assert_eq!(answer, 42);
/// ```
pub fn block_on<F: Future>(work: impl FnOnce(Handle) -> F) -> F::Output {
    let executor = Executor::new(HostClock);
    executor.block_on(&Parked(thread::current()), work(executor.handle()))
}
