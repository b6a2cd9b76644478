//! Waiting: the processor halts until the timer or a device interrupts it.

#[cfg(feature = "test-interrupts")]
use super::test_interrupts::{self, Point};
use super::{apic, interrupts, timer};
use alloc::boxed::Box;
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
pub(crate) struct Idler(&'static Alarm);

/// The machine's only timer.
struct Alarm {
    /// Where the timer takes no deadlines: its ticks a second, zero until they were
    /// measured.
    frequency: Option<Cell<u32>>,
    armed: Cell<Option<Armed>>,
}

/// The state of an armed timer.
#[derive(Clone, Copy)]
struct Armed {
    start: Instant,
    /// When it interrupts, at the latest.
    until: Instant,
    /// The start of its count, if it counts.
    ticks: u32,
    /// How often it had interrupted before.
    raised: u64,
}

impl Armed {
    /// Returns whether it has not interrupted yet.
    fn is_running(&self) -> bool {
        self.raised == interrupts::count(interrupts::TIMER)
    }

    /// Learns the timer's speed from what it has counted so far.
    fn measure(&self, frequency: &Cell<u32>) {
        let passed = MachineClock.now() - self.start;
        frequency.set(timer::frequency(
            frequency.get(),
            self.ticks,
            apic::remaining(),
            passed,
        ));
    }
}

/// Starts to count: the first wait measures the timer's speed since this call. From here on
/// interrupts are let in, for devices must be heard also before the processor is first idle.
pub(crate) fn idle() -> Idler {
    let takes_deadlines = apic::start_timer();
    // Without deadlines it has begun to count, for nobody.
    let counting = (!takes_deadlines).then(|| Armed {
        start: MachineClock.now(),
        until: Instant::from_nanos(u64::MAX),
        ticks: u32::MAX,
        raised: 0,
    });
    processor::enable();
    Idler(Box::leak(Box::new(Alarm {
        frequency: (!takes_deadlines).then(Cell::default),
        armed: Cell::new(counting),
    })))
}

impl Idle for Idler {
    fn poll(&self) {
        interrupts::dispatch();
    }

    fn wait(&self, deadline: Option<Instant>) {
        MachineClock.tune();
        self.0.tune();
        #[cfg(feature = "test-interrupts")]
        test_interrupts::reach(Point::BeforeLook);
        // Between the last look for interrupts and the halt none may slip through:
        // `enable_and_hlt` lets them in only once the processor has halted.
        processor::disable();
        #[cfg(feature = "test-interrupts")]
        if test_interrupts::reach(Point::Masked) {
            self.0.armed.set(None);
        }
        if interrupts::is_pending() {
            processor::enable();
        } else {
            self.0.halt_until(deadline);
        }
        interrupts::dispatch();
    }
}

/// Halts until an interrupt comes. Returns for how long, or none if the timer counted for
/// somebody else.
fn halt() -> Option<Duration> {
    #[cfg(feature = "test-interrupts")]
    test_interrupts::reach(Point::AfterLook);
    let start = MachineClock.now();
    processor::enable_and_hlt();
    let halted = MachineClock.now() - start;
    HALTED.fetch_add(halted.as_nanos() as u64, Ordering::Relaxed);
    #[cfg(feature = "test-interrupts")]
    if test_interrupts::reach(Point::Woken) {
        return None;
    }
    Some(halted)
}

impl Alarm {
    /// Learns the timer's speed at first, while it counts what it was started with.
    fn tune(&self) {
        if let (Some(frequency), Some(armed)) = (&self.frequency, self.armed.get())
            && frequency.get() == 0
        {
            armed.measure(frequency);
        }
    }

    /// Halts until an interrupt comes, or until about `deadline`: the executor waits again
    /// for what may be left.
    fn halt_until(&self, deadline: Option<Instant>) {
        let now = MachineClock.now();
        let due = deadline.map(|deadline| deadline.min(now + apic::LONGEST_WAIT));
        if due.is_some_and(|due| due <= now) {
            processor::enable();
            return;
        }
        // A timer that is early stays: deadlines mostly move away before they are reached, and
        // to hear of each costs a virtual machine's host more than an interrupt too many.
        let mut armed = self.armed.get().filter(Armed::is_running);
        if let Some(due) = due
            && armed.is_none_or(|armed| armed.until > due)
        {
            armed = Some(self.arm(now, due));
        }
        let Some(halted) = halt() else {
            self.armed.set(None);
            return;
        };
        self.armed.set(armed);
        if let (Some(frequency), Some(armed)) = (&self.frequency, armed)
            && halted >= MEASURABLE
        {
            armed.measure(frequency);
        }
    }

    /// Lets the timer interrupt at `due`, at once if that passes meanwhile.
    fn arm(&self, now: Instant, due: Instant) -> Armed {
        let left = due - now;
        let raised = interrupts::count(interrupts::TIMER);
        let ticks = match &self.frequency {
            None => {
                apic::arm_deadline(MachineClock.ticks_after(left));
                0
            }
            Some(frequency) => {
                let ticks = timer::count(left, frequency.get());
                apic::arm(ticks);
                ticks
            }
        };
        Armed {
            start: now,
            until: due,
            ticks,
            raised,
        }
    }
}
