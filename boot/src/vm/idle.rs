//! Waiting: the processor halts until the timer or a device interrupts it.

use super::{apic, interrupts};
use core::cell::Cell;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use fata_task::Idle;
use fata_time::{Clock, Instant, MachineClock};
use x86_64::instructions::interrupts as processor;

/// Waits of this length and more measure the timer's speed.
const MEASURABLE: Duration = Duration::from_millis(1);
const NANOSECONDS_PER_SECOND: u128 = 1_000_000_000;

/// Nanoseconds for which the processor has been halted.
static HALTED: AtomicU64 = AtomicU64::new(0);

/// For how long the processor has not been halted since the clock began to count.
pub(crate) fn busy() -> Duration {
    let halted = Duration::from_nanos(HALTED.load(Ordering::Relaxed));
    MachineClock
        .now()
        .since(Instant::from_nanos(0))
        .saturating_sub(halted)
}

/// Lets the processor halt. Clones are the same.
#[derive(Clone)]
pub(crate) struct Idler {
    /// Ticks of the timer a second; zero until they were measured.
    timer_frequency: Cell<u64>,
    /// When the timer began to count.
    started: Instant,
}

/// Starts to count: the first wait measures the timer's speed since this call.
pub(crate) fn idle() -> Idler {
    apic::arm(u32::MAX);
    Idler {
        timer_frequency: Cell::new(0),
        started: MachineClock.now(),
    }
}

impl Idle for Idler {
    fn poll(&self) {
        interrupts::dispatch();
    }

    fn wait(&self, deadline: Option<Instant>) {
        MachineClock.tune();
        // The timer still counts what it was armed with at the start.
        if self.timer_frequency.get() == 0 {
            self.measure(self.started, u32::MAX);
        }
        // Between the last look for interrupts and the halt none may slip through:
        // `enable_and_hlt` lets them in only once the processor has halted.
        processor::disable();
        if interrupts::is_pending() {
            processor::enable();
        } else {
            match deadline {
                Some(deadline) => self.halt_until(deadline),
                None => {
                    apic::arm(0);
                    halt();
                }
            }
        }
        interrupts::dispatch();
    }
}

/// Halts until an interrupt comes. Returns for how long.
fn halt() -> Duration {
    let start = MachineClock.now();
    processor::enable_and_hlt();
    let halted = MachineClock.now() - start;
    HALTED.fetch_add(halted.as_nanos() as u64, Ordering::Relaxed);
    halted
}

impl Idler {
    /// Halts until an interrupt comes, or shortly before `deadline` at the latest; the
    /// executor then waits for the rest.
    fn halt_until(&self, deadline: Instant) {
        let start = MachineClock.now();
        let left = (deadline - start).min(apic::LONGEST_WAIT);
        if left.is_zero() {
            processor::enable();
            return;
        }
        // The timer's speed is known to a few per cent only. Less than 1/32 short means a
        // second, short wait rather than one that is late.
        let ticks = self.ticks(left - left / 32).clamp(1, u32::MAX.into()) as u32;
        apic::arm(ticks);
        if halt() >= MEASURABLE {
            self.measure(start, ticks);
        }
    }

    fn ticks(&self, duration: Duration) -> u64 {
        let ticks = duration.as_nanos() * u128::from(self.timer_frequency.get());
        (ticks / NANOSECONDS_PER_SECOND) as u64
    }

    /// Learns the timer's speed from what it has counted since `start`, when it was armed
    /// with `armed` ticks. A timer that has run out makes it seem a little slower than it
    /// is, so that the next wait is short rather than late.
    fn measure(&self, start: Instant, armed: u32) {
        let counted = u128::from(armed - apic::remaining().min(armed));
        let passed = (MachineClock.now() - start).as_nanos().max(1);
        let frequency = counted * NANOSECONDS_PER_SECOND / passed;
        self.timer_frequency.set((frequency as u64).max(1));
    }
}
