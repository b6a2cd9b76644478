//! The clock of a virtual machine: kvmclock where the hypervisor offers it, else the
//! time-stamp counter, whose speed the hypervisor, the processor or the PIT tells.

use crate::calibration::{Calibration, Sample};
use crate::scale::{self, Scale};
use crate::tsc::{Counter, Registers, Source};
use crate::{Clock, Instant, pvclock, rtc};
use core::arch::x86_64::{__cpuid, _rdtsc, CpuidResult};
use core::time::Duration;
use x86_64::instructions::port::Port;
use x86_64::registers::model_specific::Msr;

const MSR_KVM_WALL_CLOCK: u32 = 0x4b56_4d00;
const MSR_KVM_SYSTEM_TIME: u32 = 0x4b56_4d01;

const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

const PIT_CHANNEL_0: u16 = 0x40;
const PIT_COMMAND: u16 = 0x43;
/// Channel 0, both bytes, mode 2 (rate generator), binary.
const PIT_RATE_GENERATOR: u8 = 0x34;
/// The first window: about 50 µs, in ticks of the PIT.
const FIRST_WINDOW: u16 = 60;
/// A first window that is worse than this goes on, in millionths: a read was interrupted.
const LARGEST_FIRST_ERROR: u64 = 125_000;
/// A second window comes this long after the first, and each further one when the time
/// since the start has doubled.
const SECOND_WINDOW: Duration = Duration::from_millis(1);

/// A machine without a PIT must not wait for it for ever. In ticks: over 10 ms at 5 GHz, and
/// under a period of the PIT at 1 GHz.
const LONGEST_FIRST_WINDOW: u64 = 50_000_000;
const FIRST_WINDOW_TRIES: usize = 3;
/// Of a counter whose speed nothing tells: as good as any. Time passes, if at the wrong speed.
const ASSUMED_FREQUENCY: u64 = 1_000_000_000;

/// CLOCK of a virtual machine. Zero-sized: a machine has one time.
///
/// Monotonic time starts at [`init`](Self::init). It is the hypervisor's (kvmclock), or that
/// of the time-stamp counter, with the speed that the hypervisor (CPUID leaf 0x40000010 of KVM
/// and VMware) or the processor (leaf 0x15) states. If nobody does, its speed errs by up to
/// some per cent in the first millisecond, or by one at most where the processor states its
/// nominal speed (leaf 0x16), and then by ever less, under 0.01 % after 100 ms, as
/// [`tune`](Self::tune) measures it again.
///
/// It never runs back: a new speed counts from the moment of its measurement on, and what
/// a hypervisor takes back, time stands still for. A counter that the processor does not call
/// invariant may change its speed or stop when the processor saves power; then monotonic time
/// does the same, see [`Speed::is_reliable`].
///
/// Wall-clock time is the hypervisor's, or the CMOS clock's as it was when it was first
/// asked for, good to a second.
#[derive(Clone, Copy, Debug, Default)]
pub struct MachineClock;

/// The source of monotonic time, and its speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Speed {
    /// The source of the time or of the counter's speed: `kvmclock`; the `hypervisor`'s
    /// timing leaf; the processor's `crystal` and ratio; its `nominal` speed, measured again
    /// against the PIT; the `PIT` alone; or `no PIT` and so nothing.
    pub source: &'static str,
    /// Ticks of the time-stamp counter a second; 0 if only the hypervisor knows.
    pub frequency: u64,
    /// How much that may be off, in millionths. 0 if it was stated rather than measured.
    pub error: u64,
    /// True if the speed is known, and the same in every state of the processor.
    pub is_reliable: bool,
}

struct State {
    counter: Counter,
    /// The time that kvmclock showed at the start.
    start: u64,
    scale: Scale,
    frequency: u64,
    tuning: Option<Tuning>,
    /// The last time that was told, in nanoseconds.
    last: u64,
    /// Wall-clock time minus monotonic time in nanoseconds, once it was asked for.
    wall_offset: Option<Option<u64>>,
}

/// A measurement of the counter's speed.
struct Tuning {
    calibration: Calibration,
    /// When the window began, and when to look again.
    since: Instant,
    next: Instant,
}

static mut KVM_PAGE: pvclock::Page = pvclock::Page::new();

static STATE: spin::Mutex<State> = spin::Mutex::new(State {
    counter: Counter {
        source: Source::Pit,
        is_steady: false,
    },
    start: 0,
    scale: Scale {
        ticks: 0,
        nanoseconds: 0,
        multiplier: 0,
    },
    frequency: 0,
    tuning: None,
    last: 0,
    wall_offset: None,
});

impl MachineClock {
    /// Finds the best clock and starts it. Takes some 50 µs if the counter's speed has to be
    /// measured.
    ///
    /// # Safety
    /// Call once, at boot, on bare metal: it programs the PIT and model-specific
    /// registers.
    pub unsafe fn init() {
        let counter = Counter::identify(cpuid);
        let mut state = STATE.lock();
        state.counter = counter;
        let stated = match counter.source {
            Source::KvmClock => {
                let page = &raw const KVM_PAGE;
                // SAFETY: the register exists, and the page is static and only read from here
                // on, through volatile reads.
                unsafe { Msr::new(MSR_KVM_SYSTEM_TIME).write(page as u64 | 1) };
                state.start = hypervisor_time();
                return;
            }
            Source::Hypervisor(frequency) | Source::Crystal(frequency) => Some(frequency),
            Source::Nominal(_) | Source::Pit => None,
        };
        let calibration = match stated {
            Some(_) => None,
            None => measure(counter.source),
        };
        let measured = || calibration.map(|calibration| calibration.frequency());
        state.frequency = stated.or_else(measured).unwrap_or(ASSUMED_FREQUENCY);
        state.scale = Scale {
            ticks: ticks(),
            nanoseconds: 0,
            multiplier: Scale::multiplier(state.frequency),
        };
        state.tuning = calibration.map(|calibration| Tuning {
            calibration,
            since: Instant::default(),
            next: Instant::default() + SECOND_WINDOW,
        });
    }

    /// Measures the counter's speed again if that is due. Call it when the machine is
    /// idle; mostly it only looks at the time.
    pub fn tune(&self) {
        let now = self.now();
        let mut state = STATE.lock();
        let State { tuning, scale, .. } = &mut *state;
        let Some(tuning) = tuning.as_mut().filter(|tuning| now >= tuning.next) else {
            return;
        };
        let sample = sample();
        if !tuning.calibration.refine(sample) {
            tuning.since = now;
        }
        tuning.next = now + (now - tuning.since).max(SECOND_WINDOW);
        let frequency = tuning.calibration.frequency();
        *scale = scale.retuned(sample.ticks, Scale::multiplier(frequency));
        state.frequency = frequency;
    }

    /// The source of monotonic time, and how well its speed is known by now.
    pub fn speed(&self) -> Speed {
        let state = STATE.lock();
        let tuning = state.tuning.as_ref();
        let is_known = state.counter.source != Source::Pit || tuning.is_some();
        let source = match state.counter.source {
            Source::KvmClock => "kvmclock",
            Source::Hypervisor(_) => "hypervisor",
            Source::Crystal(_) => "crystal",
            Source::Nominal(_) => "nominal",
            Source::Pit if is_known => "PIT",
            Source::Pit => "no PIT",
        };
        Speed {
            source,
            frequency: state.frequency,
            error: tuning.map_or(0, |tuning| tuning.calibration.error()),
            is_reliable: is_known && state.counter.is_steady,
        }
    }
}

impl MachineClock {
    /// The value of the time-stamp counter in `duration` from now, or a little later, as far
    /// as its speed is known: to set a timer by. A duration over 4 s counts as 4 s.
    pub fn ticks_after(&self, duration: Duration) -> u64 {
        let state = STATE.lock();
        let multiplier = match state.counter.source {
            Source::KvmClock => {
                let page = &raw const KVM_PAGE;
                // SAFETY: the page is static, and only read, through volatile reads.
                unsafe { (*page).multiplier() }
            }
            _ => state.scale.multiplier,
        };
        ticks() + scale::ticks_for(duration, multiplier)
    }
}

impl Clock for MachineClock {
    fn now(&self) -> Instant {
        let mut state = STATE.lock();
        let now = match state.counter.source {
            Source::KvmClock => hypervisor_time().saturating_sub(state.start),
            _ => state.scale.at(ticks()),
        };
        state.last = state.last.max(now);
        Instant::from_nanos(state.last)
    }

    fn wall(&self) -> Option<Duration> {
        let now = self.now().as_nanos();
        let known = STATE.lock().wall_offset;
        let offset = known.unwrap_or_else(|| {
            let offset = wall_now().and_then(|wall| wall.checked_sub(now));
            STATE.lock().wall_offset = Some(offset);
            offset
        });
        Some(Duration::from_nanos(offset?.saturating_add(now)))
    }
}

fn ticks() -> u64 {
    // SAFETY: every x86_64 processor has the instruction.
    unsafe { _rdtsc() }
}

fn cpuid(leaf: u32) -> Registers {
    let CpuidResult { eax, ebx, ecx, edx } = __cpuid(leaf);
    [eax, ebx, ecx, edx]
}

fn hypervisor_time() -> u64 {
    let page = &raw const KVM_PAGE;
    // SAFETY: the page is static, and only read, through volatile reads.
    unsafe { (*page).nanoseconds(ticks) }
}

/// Wall-clock time in nanoseconds from the hypervisor, else from the CMOS clock.
fn wall_now() -> Option<u64> {
    if STATE.lock().counter.source == Source::KvmClock {
        // version, seconds and nanoseconds, as of the hypervisor's time zero.
        static mut WALL: [u32; 4] = [0; 4];
        let page = &raw mut WALL;
        // SAFETY: the register exists, and the hypervisor fills the page while it is
        // written; nothing else refers to it.
        let [_, seconds, nanoseconds, _] = unsafe {
            Msr::new(MSR_KVM_WALL_CLOCK).write(page as u64);
            page.read_volatile()
        };
        let start = u64::from(seconds) * NANOSECONDS_PER_SECOND + u64::from(nanoseconds);
        return Some(start + hypervisor_time());
    }
    Some(rtc::read()?.to_unix() * NANOSECONDS_PER_SECOND)
}

/// Starts the PIT, and measures the counter's speed for a moment unless it is known roughly.
/// `None` if there is no PIT.
fn measure(source: Source) -> Option<Calibration> {
    // SAFETY: the ports belong to the PIT. A count of zero is 65,536.
    unsafe {
        Port::new(PIT_COMMAND).write(PIT_RATE_GENERATOR);
        Port::new(PIT_CHANNEL_0).write(0u8);
        Port::new(PIT_CHANNEL_0).write(0u8);
    }
    // A pause of the whole machine may spoil a try.
    for _ in 0..FIRST_WINDOW_TRIES {
        let start = sample();
        if let Source::Nominal(frequency) = source {
            return Some(Calibration::nominal(start, frequency));
        }
        loop {
            let end = sample();
            if end.ticks - start.ticks > LONGEST_FIRST_WINDOW {
                break;
            }
            let calibration = Calibration::new(start, end);
            if start.pit.wrapping_sub(end.pit) >= FIRST_WINDOW
                && calibration.error() <= LARGEST_FIRST_ERROR
            {
                return Some(calibration);
            }
        }
    }
    None
}

/// Reads the PIT's count, and the time-stamp counter around it.
#[inline(never)]
fn sample() -> Sample {
    let before = ticks();
    // SAFETY: the ports belong to the PIT; command 0 latches channel 0.
    let pit = unsafe {
        Port::new(PIT_COMMAND).write(0u8);
        let low: u8 = Port::new(PIT_CHANNEL_0).read();
        let high: u8 = Port::new(PIT_CHANNEL_0).read();
        u16::from_le_bytes([low, high])
    };
    let after = ticks();
    Sample {
        ticks: before + (after - before) / 2,
        pit,
        spread: (after - before).div_ceil(2),
    }
}
