//! How long the phases of the start take, for the boot argument `--trace`.

use super::console;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The phases in their order. The first begins when the arguments are asked for.
const PHASES: [&str; 2] = ["arguments\n", "main\n"];

/// The beginning of the first phase, and the end of each so far.
static MARKS: Mutex<Vec<Instant>> = Mutex::new(Vec::new());
static WANTED: AtomicBool = AtomicBool::new(false);

/// Notes that the first phase begins, or that the next one of [`PHASES`] has ended.
pub(crate) fn mark() {
    let mut marks = MARKS.lock().unwrap_or_else(PoisonError::into_inner);
    if marks.len() <= PHASES.len() {
        marks.push(Instant::now());
    }
}

/// Prints the end of each phase so far, and from now on what is [reported](report).
pub(crate) fn print() {
    WANTED.store(true, Relaxed);
    let marks = MARKS.lock().unwrap_or_else(PoisonError::into_inner);
    for (phase, end) in PHASES.iter().zip(&marks[1..]) {
        line(phase, *end - marks[0]);
    }
}

/// Prints that `what`, which ends its line, has been done just now, if that is wanted.
#[cfg(feature = "net")]
pub(crate) fn report(what: &str) {
    if WANTED.load(Relaxed) {
        let marks = MARKS.lock().unwrap_or_else(PoisonError::into_inner);
        line(what, marks[0].elapsed());
    }
}

fn line(what: &str, since_start: Duration) {
    let microseconds = since_start.as_micros();
    console::write(format!("trace:{microseconds:8} us: {what}").as_bytes());
}
