//! The load that each store gets, and the figures of it.

use std::time::{Duration, Instant};

/// Bytes of each value.
pub const VALUE: usize = 100;
/// Values that are set one at a time, by each of 32 at once, and in each batch.
pub const ONE: usize = 200;
pub const AT_ONCE: usize = 32;
pub const EACH: usize = 20;
pub const BATCH: usize = 1_000;
/// Values that are read.
pub const READS: usize = 20_000;

/// The rates measured, in operations a second.
#[derive(Clone, Copy)]
pub struct Figures(pub [f64; 4]);

/// Operations a second.
pub fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

pub fn timed(count: usize, work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    rate(count, start.elapsed())
}

/// The key of a number: neighbours are far apart.
pub fn name(number: usize) -> String {
    format!("{:08x}", (number as u32).wrapping_mul(0x9e37_79b9))
}
