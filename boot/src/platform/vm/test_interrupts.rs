//! For the test image `wake` only: interrupts that the program raises itself, at chosen
//! places around the idle loop's last look, and unexpected ones.

use super::apic;
use super::interrupts::{self, Interrupt};
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use fata_task::Event;
use x86_64::instructions::interrupts as processor;

/// A place in the idle loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// No task is ready; interrupts are still let in.
    BeforeLook,
    /// Interrupts are held back, but nobody has looked for them yet.
    Masked,
    /// Nothing was found, the timer is armed, and the halt comes next.
    AfterLook,
    /// The halt has ended. Nothing can be raised here.
    Woken,
}

/// For each point but the last, a bit for each vector to raise there.
static SCHEDULED: [[AtomicU64; 4]; 3] = [const { [const { AtomicU64::new(0) }; 4] }; 3];

/// The vector that the timer raises for the program; zero when it is the idle loop's.
static TIMER_VECTOR: AtomicU8 = AtomicU8::new(0);
static TIMER_COUNT: AtomicU32 = AtomicU32::new(0);
/// How often the vector had been raised when the timer was taken.
static RAISED_BEFORE: AtomicU64 = AtomicU64::new(0);

/// A vector as a device has one.
#[derive(Clone, Copy)]
pub struct Source(Interrupt);

impl Source {
    /// A vector that nobody else has, or `None` when all are taken.
    pub fn allocate() -> Option<Self> {
        interrupts::allocate().map(Self)
    }

    /// The event that the idle loop signals after the vector was raised.
    pub fn event(&self) -> &'static Event {
        self.0.event
    }

    /// The vector.
    pub fn vector(&self) -> u8 {
        self.0.vector
    }

    /// How often the handler ran for it.
    pub fn raised(&self) -> u64 {
        interrupts::count(self.0.vector)
    }

    /// Has the local APIC's timer raise the vector once, after `count` of its ticks from
    /// now, not counting the time in which the idle loop has the timer. `false` if it is
    /// taken.
    pub fn raise_after(&self, count: u32) -> bool {
        if TIMER_VECTOR.load(Ordering::Relaxed) != 0 {
            return false;
        }
        RAISED_BEFORE.store(self.raised(), Ordering::Relaxed);
        TIMER_COUNT.store(count.max(1), Ordering::Relaxed);
        TIMER_VECTOR.store(self.vector(), Ordering::Relaxed);
        apic::lend_timer(self.vector(), count.max(1));
        true
    }
}

/// Raises any vector from 32 on, now: an interrupt that the processor sends to itself.
pub fn raise(vector: u8) {
    apic::send_to_self(vector);
}

/// Raises a vector from 32 on when the idle loop comes to that point. Once, however often
/// it was asked for.
pub fn raise_at(point: Point, vector: u8) {
    if let Some(vectors) = SCHEDULED.get(point as usize) {
        vectors[usize::from(vector / 64)].fetch_or(1 << (vector % 64), Ordering::Relaxed);
    }
}

/// Called by the idle loop. Tells whether the idle loop's own timer was overridden.
pub(super) fn reach(point: Point) -> bool {
    let vector = TIMER_VECTOR.load(Ordering::Relaxed);
    if vector != 0 {
        match point {
            Point::BeforeLook => {}
            Point::Masked | Point::Woken => settle(vector),
            Point::AfterLook => apic::lend_timer(vector, TIMER_COUNT.load(Ordering::Relaxed)),
        }
    }
    if let Some(vectors) = SCHEDULED.get(point as usize) {
        for (vector, word) in (0..).step_by(64).zip(vectors) {
            let mut bits = word.swap(0, Ordering::Relaxed);
            while bits != 0 {
                raise((vector + bits.trailing_zeros()) as u8);
                bits &= bits - 1;
            }
        }
    }
    vector != 0
}

/// Stops the timer and gives it back to the idle loop, for good if it has run out.
fn settle(vector: u8) {
    let enabled = processor::are_enabled();
    processor::disable();
    TIMER_COUNT.store(apic::take_timer_back().max(1), Ordering::Relaxed);
    let raised = interrupts::count(vector) != RAISED_BEFORE.load(Ordering::Relaxed);
    if raised || apic::is_requested(vector) {
        TIMER_VECTOR.store(0, Ordering::Relaxed);
    }
    if enabled {
        processor::enable();
    }
}
