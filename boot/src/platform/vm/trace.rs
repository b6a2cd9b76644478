//! How long the phases of the start take, for the boot argument `--trace`.

use super::console::{self, Output};
use core::fmt::Write;
#[cfg(feature = "net")]
use core::sync::atomic::AtomicBool;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use fata_time::MachineClock;

/// The time-stamp counter at the image's first instruction.
#[unsafe(no_mangle)]
pub(super) static mut ENTRY_TSC: u64 = 0;

/// The phases in their order, a line each, which is the smallest in the image. The first
/// instruction begins the first.
const PHASES: &str = "64-bit code
memory map
page tables
clock
interrupts
arguments
main
";
/// How many there are.
const COUNT: usize = 7;
/// The phase before the program.
const INTERRUPTS: usize = 4;

/// The time-stamp counter at the end of each phase.
static ENDS: [AtomicU64; COUNT] = [const { AtomicU64::new(0) }; COUNT];
/// How many phases have ended.
static ENDED: AtomicUsize = AtomicUsize::new(0);
#[cfg(feature = "net")]
static WANTED: AtomicBool = AtomicBool::new(false);

/// Notes that a phase has ended, the next one of [`PHASES`].
#[inline(never)]
pub(crate) fn mark() {
    let phase = ENDED.load(Relaxed);
    if let Some(end) = ENDS.get(phase) {
        end.store(ticks(), Relaxed);
        ENDED.store(phase + 1, Relaxed);
    }
}

/// Prints the end of each phase so far, and from now on what is [reported](report).
pub(crate) fn print() {
    #[cfg(feature = "net")]
    WANTED.store(true, Relaxed);
    let speed = ticks_per_microsecond();
    let phases = PHASES.as_bytes().split_inclusive(|byte| *byte == b'\n');
    for (phase, end) in phases.zip(&ENDS) {
        line(phase, end.load(Relaxed), speed);
    }
}

/// Prints that `what`, which ends its line, has been done just now, if that is wanted.
#[cfg(feature = "net")]
pub(crate) fn report(what: &str) {
    if WANTED.load(Relaxed) {
        line(what.as_bytes(), ticks(), ticks_per_microsecond());
    }
}

fn line(what: &[u8], end: u64, speed: u64) {
    let ticks = end - ticks_at_entry();
    let microseconds = ticks / speed;
    // Writing to the serial line does not fail.
    let _ = write!(Output, "trace:{microseconds:8} us{ticks:12} ticks: ");
    console::write(what);
}

fn ticks_per_microsecond() -> u64 {
    (MachineClock.speed().frequency / 1_000_000).max(1)
}

/// From the first instruction to the call of the program.
pub(super) fn ticks_to_program() -> u64 {
    ENDS[INTERRUPTS].load(Relaxed) - ticks_at_entry()
}

/// [`ENTRY_TSC`], read safely.
fn ticks_at_entry() -> u64 {
    // SAFETY: written once, by the entry code, before any Rust code ran.
    unsafe { ENTRY_TSC }
}

fn ticks() -> u64 {
    // SAFETY: every x86_64 processor has the instruction.
    unsafe { core::arch::x86_64::_rdtsc() }
}
