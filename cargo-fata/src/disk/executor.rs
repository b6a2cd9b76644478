//! Runs one future to its end, on this thread.

use std::sync::Arc;
use std::thread::{self, Thread};

use fata_task::{Executor, Handle, Idle, Unparker};
use fata_time::{Clock, HostClock, Instant};

/// Waits by parking the thread; the threads of a disk end that.
struct Parking {
    clock: HostClock,
    thread: Thread,
}

impl Idle for Parking {
    fn poll(&self) {}

    fn wait(&self, deadline: Option<Instant>) {
        match deadline {
            Some(deadline) => thread::park_timeout(deadline - self.clock.now()),
            None => thread::park(),
        }
    }

    fn unparker(&self) -> Option<Unparker> {
        let thread = self.thread.clone();
        Some(Arc::new(move || thread.unpark()))
    }
}

pub fn run<F: Future>(work: impl FnOnce(Handle) -> F) -> F::Output {
    let executor = Executor::new(HostClock);
    let parking = Parking {
        clock: HostClock,
        thread: thread::current(),
    };
    executor.block_on(&parking, work(executor.handle()))
}
