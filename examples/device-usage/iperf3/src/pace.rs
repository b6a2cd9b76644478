//! Keeps a sender to a rate.

use core::time::Duration;
use fata_task::{Handle, yield_now};
use fata_time::Instant;

/// A rate, and what was sent of it.
#[derive(Clone, Copy)]
pub struct Pace {
    start: Instant,
    /// Seconds for a byte; zero without a limit.
    seconds: f64,
    bytes: u64,
}

impl Pace {
    /// `rate` is in bits a second, 0 without a limit.
    pub fn new(start: Instant, rate: f64) -> Self {
        let seconds = if rate >= 1.0 { 8.0 / rate } else { 0.0 };
        Self {
            start,
            seconds,
            bytes: 0,
        }
    }

    /// Counts bytes that were sent.
    pub fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// Waits until more may be sent. Other tasks get their turn in any case.
    pub async fn wait(&self, tasks: &Handle) {
        let pause = Duration::from_secs_f64(self.bytes as f64 * self.seconds);
        if tasks.now() < self.start + pause {
            tasks.sleep_until(self.start + pause).await;
        } else {
            yield_now().await;
        }
    }
}
