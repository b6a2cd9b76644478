//! The clock of a virtual machine: kvmclock where the hypervisor offers it, else the
//! time-stamp counter, calibrated against the PIT.

use crate::calibration::{Calibration, PIT_FREQUENCY, Sample};
use crate::scale::Scale;
use crate::{Clock, Instant, pvclock, rtc};
use core::arch::x86_64::{__cpuid, _rdtsc};
use core::time::Duration;
use x86_64::instructions::port::Port;
use x86_64::registers::model_specific::Msr;

const KVM_SIGNATURE: [u32; 3] = [0x4b4d_564b, 0x564b_4d56, 0x4d];
const KVM_FEATURES: u32 = 0x4000_0001;
/// Bit 3 of the features: the MSRs below exist.
const KVM_CLOCK: u32 = 1 << 3;
const MSR_KVM_WALL_CLOCK: u32 = 0x4b56_4d00;
const MSR_KVM_SYSTEM_TIME: u32 = 0x4b56_4d01;

const PIT_CHANNEL_0: u16 = 0x40;
const PIT_COMMAND: u16 = 0x43;
/// Channel 0, both bytes, mode 2 (rate generator), binary.
const PIT_RATE_GENERATOR: u8 = 0x34;
/// The first window: about 50 µs, in ticks of the PIT.
const FIRST_WINDOW: u16 = 60;
/// A second window comes this long after the first, and each further one when the time
/// since the start has doubled.
const SECOND_WINDOW: Duration = Duration::from_millis(1);

/// CLOCK of a virtual machine. Zero-sized: a machine has one time.
///
/// Monotonic time starts at [`init`](Self::init). With kvmclock it is the hypervisor's.
/// Otherwise its speed errs by up to some per cent in the first millisecond, and then by
/// ever less, under 0.01 % after 100 ms, as [`tune`](Self::tune) measures it again.
/// Wall-clock time is the hypervisor's, or the CMOS clock's as it was when it was first
/// asked for, good to a second.
#[derive(Clone, Copy, Debug, Default)]
pub struct MachineClock;

struct State {
    source: Source,
    scale: Scale,
    /// Wall-clock time minus monotonic time, once it was asked for.
    wall_offset: Option<Option<Duration>>,
}

enum Source {
    /// The hypervisor's clock, and what it showed at the start.
    Hypervisor { start: u64 },
    /// The time-stamp counter, and when to measure it again.
    Counter {
        calibration: Calibration,
        next: Instant,
    },
}

static mut KVM_PAGE: pvclock::Page = pvclock::Page::new();

static STATE: spin::Mutex<State> = spin::Mutex::new(State {
    source: Source::Hypervisor { start: 0 },
    scale: Scale {
        ticks: 0,
        nanoseconds: 0,
        multiplier: 0,
    },
    wall_offset: None,
});

impl MachineClock {
    /// Finds the best clock and starts it. Takes some 50 µs without kvmclock.
    ///
    /// # Safety
    /// Call once, at boot, on bare metal: it programs the PIT and model-specific
    /// registers.
    pub unsafe fn init() {
        let mut state = STATE.lock();
        if has_kvm_clock() {
            let page = &raw const KVM_PAGE;
            // SAFETY: the register exists, and the page is static and only read from here
            // on, through volatile reads.
            let start = unsafe {
                Msr::new(MSR_KVM_SYSTEM_TIME).write(page as u64 | 1);
                (*page).nanoseconds(|| _rdtsc())
            };
            state.source = Source::Hypervisor { start };
            return;
        }
        let calibration = first_window();
        state.scale = Scale {
            ticks: ticks(),
            nanoseconds: 0,
            multiplier: Scale::multiplier(calibration.frequency()),
        };
        state.source = Source::Counter {
            calibration,
            next: Instant::default() + SECOND_WINDOW,
        };
    }

    /// Measures the counter's speed again if that is due. Call it when the machine is
    /// idle; mostly it only looks at the time.
    pub fn tune(&self) {
        let now = self.now();
        let mut state = STATE.lock();
        let State { source, scale, .. } = &mut *state;
        let Source::Counter { calibration, next } = source else {
            return;
        };
        if now < *next {
            return;
        }
        let sample = sample();
        calibration.refine(sample);
        *scale = scale.retuned(sample.ticks, Scale::multiplier(calibration.frequency()));
        *next = Instant::from_nanos(now.as_nanos().saturating_mul(2));
    }
}

impl Clock for MachineClock {
    fn now(&self) -> Instant {
        let state = STATE.lock();
        Instant::from_nanos(match state.source {
            Source::Counter { .. } => state.scale.at(ticks()),
            Source::Hypervisor { start } => hypervisor_time().saturating_sub(start),
        })
    }

    fn wall(&self) -> Option<Duration> {
        let since_start = self.now() - Instant::default();
        let known = STATE.lock().wall_offset;
        let offset = known.unwrap_or_else(|| {
            let wall = wall_now();
            let offset = wall.and_then(|wall| wall.checked_sub(since_start));
            STATE.lock().wall_offset = Some(offset);
            offset
        });
        Some(offset? + since_start)
    }
}

fn ticks() -> u64 {
    // SAFETY: every x86_64 processor has the instruction.
    unsafe { _rdtsc() }
}

fn has_kvm_clock() -> bool {
    let leaf = __cpuid(0x4000_0000);
    // Leaves from 0x40000000 on mean something only under a hypervisor (leaf 1, ECX bit 31).
    __cpuid(1).ecx & (1 << 31) != 0
        && [leaf.ebx, leaf.ecx, leaf.edx] == KVM_SIGNATURE
        && leaf.eax >= KVM_FEATURES
        && __cpuid(KVM_FEATURES).eax & KVM_CLOCK != 0
}

fn hypervisor_time() -> u64 {
    let page = &raw const KVM_PAGE;
    // SAFETY: the page is static, and only read, through volatile reads.
    unsafe { (*page).nanoseconds(ticks) }
}

/// Wall-clock time from the hypervisor, else from the CMOS clock.
fn wall_now() -> Option<Duration> {
    if has_kvm_clock() {
        // version, seconds and nanoseconds, as of the hypervisor's time zero.
        static mut WALL: [u32; 4] = [0; 4];
        let page = &raw mut WALL;
        // SAFETY: the register exists, and the hypervisor fills the page while it is
        // written; nothing else refers to it.
        let [_, seconds, nanoseconds, _] = unsafe {
            Msr::new(MSR_KVM_WALL_CLOCK).write(page as u64);
            page.read_volatile()
        };
        let start = Duration::new(seconds.into(), nanoseconds);
        return Some(start + Duration::from_nanos(hypervisor_time()));
    }
    rtc::read().map(|date| Duration::from_secs(date.to_unix()))
}

fn first_window() -> Calibration {
    // SAFETY: the port belongs to the PIT. A count of zero is 65,536.
    unsafe {
        Port::new(PIT_COMMAND).write(PIT_RATE_GENERATOR);
        Port::new(PIT_CHANNEL_0).write(0u8);
        Port::new(PIT_CHANNEL_0).write(0u8);
    }
    let start = sample();
    /// A machine without a PIT must not wait for ever. Ticks: over 10 ms at 5 GHz.
    const LONGEST: u64 = 50_000_000;
    loop {
        let end = sample();
        let window = start.pit.wrapping_sub(end.pit);
        if window >= FIRST_WINDOW {
            return Calibration::new(start, end);
        }
        if end.ticks - start.ticks > LONGEST {
            // Take 1 GHz, as good as any: time passes, if at the wrong speed.
            let pit = start.pit.wrapping_sub(PIT_FREQUENCY.div_ceil(1_000) as u16);
            let ticks = start.ticks + 1_000_000;
            return Calibration::new(start, Sample { ticks, pit });
        }
    }
}

/// Reads the PIT's count, and the time-stamp counter around it.
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
    }
}
