//! Waiting: the processor halts until the timer or a device interrupts it.

#[cfg(feature = "test-interrupts")]
use super::test_interrupts::{self, Point};
use super::{apic, interrupts, timer};
use core::cell::Cell;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use fata_task::Idle;
use fata_time::{Clock, Instant, MachineClock};
use x86_64::instructions::interrupts as processor;

/// Waits of this length and more measure the timer's speed.
const MEASURABLE: Duration = Duration::from_millis(1);

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
    /// Where the timer takes no deadlines: its ticks a second, zero until they were
    /// measured.
    frequency: Option<Cell<u32>>,
    /// When the timer began to count.
    started: Instant,
}

/// Starts to count: the first wait measures the timer's speed since this call. From here on
/// interrupts are let in, for devices must be heard also before the processor is first idle.
pub(crate) fn idle() -> Idler {
    let takes_deadlines = apic::start_timer();
    processor::enable();
    Idler {
        frequency: (!takes_deadlines).then(Cell::default),
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
        if let Some(frequency) = &self.frequency
            && frequency.get() == 0
        {
            learn(frequency, self.started, u32::MAX);
        }
        #[cfg(feature = "test-interrupts")]
        test_interrupts::reach(Point::BeforeLook);
        // Between the last look for interrupts and the halt none may slip through:
        // `enable_and_hlt` lets them in only once the processor has halted.
        processor::disable();
        #[cfg(feature = "test-interrupts")]
        test_interrupts::reach(Point::Masked);
        if interrupts::is_pending() {
            processor::enable();
        } else {
            self.halt_until(deadline);
        }
        interrupts::dispatch();
    }
}

/// Halts until an interrupt comes. Returns for how long.
fn halt() -> Duration {
    #[cfg(feature = "test-interrupts")]
    test_interrupts::reach(Point::AfterLook);
    let start = MachineClock.now();
    processor::enable_and_hlt();
    let halted = MachineClock.now() - start;
    HALTED.fetch_add(halted.as_nanos() as u64, Ordering::Relaxed);
    #[cfg(feature = "test-interrupts")]
    if test_interrupts::reach(Point::Woken) {
        return Duration::ZERO;
    }
    halted
}

impl Idler {
    /// Halts until an interrupt comes, or until about `deadline`: the executor waits again
    /// for what may be left.
    fn halt_until(&self, deadline: Option<Instant>) {
        let start = MachineClock.now();
        let left = deadline.map(|deadline| (deadline - start).min(apic::LONGEST_WAIT));
        if left == Some(Duration::ZERO) {
            processor::enable();
            return;
        }
        // Zero stops the timer. A deadline that passes meanwhile interrupts at once.
        let Some(frequency) = &self.frequency else {
            apic::arm_deadline(left.map_or(0, |left| MachineClock.ticks_after(left)));
            halt();
            return;
        };
        let count = left.map_or(0, |left| timer::count(left, frequency.get()));
        apic::arm(count);
        if halt() >= MEASURABLE && count > 0 {
            learn(frequency, start, count);
        }
    }
}

/// Learns the timer's speed from what it has counted since `start`, when it was armed
/// with `armed` ticks.
fn learn(frequency: &Cell<u32>, start: Instant, armed: u32) {
    let passed = MachineClock.now() - start;
    frequency.set(timer::frequency(
        frequency.get(),
        armed,
        apic::remaining(),
        passed,
    ));
}
