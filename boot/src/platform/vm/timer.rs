//! The settings of the processor's timer: pure functions, so that they are tested in a
//! process.

use core::time::Duration;

/// CPUID leaf 1, ECX: the timer takes deadlines (Intel SDM volume 3, 10.5.4.1).
const TSC_DEADLINE: u32 = 1 << 24;
const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

/// Returns whether the timer can be given a value of the time-stamp counter, which is exact,
/// instead of a count at a speed that has to be measured.
pub(super) fn takes_deadlines(leaf_1_ecx: u32) -> bool {
    leaf_1_ecx & TSC_DEADLINE != 0
}

/// The count that runs out shortly before `left` has passed, at `frequency` ticks a
/// second. Never zero, which would stop the timer.
///
/// The frequency is known to a few per cent only. Less than 1/32 short means a second,
/// short wait rather than one that is late.
pub(super) fn count(left: Duration, frequency: u32) -> u32 {
    let left = left.as_nanos() as u64;
    let ticks = (left - left / 32).saturating_mul(frequency.into()) / NANOSECONDS_PER_SECOND;
    ticks.clamp(1, u32::MAX.into()) as u32
}

/// The frequency of a timer that was `known` to have that one, and has counted from
/// `armed` down to `remaining` in `passed`.
///
/// One that has run out may have done so long ago, when the host had no time for the
/// machine. It then seems slow, which is believed in small steps only: a frequency far too
/// low means many short waits for one.
pub(super) fn frequency(known: u32, armed: u32, remaining: u32, passed: Duration) -> u32 {
    let counted = u64::from(armed.saturating_sub(remaining));
    let measured = counted * NANOSECONDS_PER_SECOND / (passed.as_nanos() as u64).max(1);
    let measured = measured.min(u32::MAX.into()) as u32;
    let least = if remaining == 0 {
        known - known / 16
    } else {
        1
    };
    measured.max(least).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIGAHERTZ: u32 = 1_000_000_000;

    #[test]
    fn deadlines_are_taken_where_the_processor_says_so() {
        assert!(takes_deadlines(0x0100_0000));
        assert!(!takes_deadlines(!0x0100_0000));
    }

    #[test]
    fn a_count_is_a_little_short_and_never_zero() {
        assert_eq!(count(Duration::from_micros(32), GIGAHERTZ), 31_000);
        assert_eq!(count(Duration::from_nanos(1), 1_000), 1);
        assert_eq!(count(Duration::from_secs(3), 1), 2);
        assert_eq!(count(Duration::from_secs(8), u32::MAX), u32::MAX);
    }

    #[test]
    fn a_timer_that_still_counts_tells_its_frequency() {
        let passed = Duration::from_millis(2);
        assert_eq!(
            frequency(0, u32::MAX, u32::MAX - 2_000_000, passed),
            GIGAHERTZ
        );
        assert_eq!(frequency(7, 5_000_000, 3_000_000, passed), GIGAHERTZ);
    }

    #[test]
    fn a_machine_that_was_held_up_does_not_unlearn_the_frequency() {
        let late = frequency(GIGAHERTZ, 5_000_000, 0, Duration::from_secs(2));
        assert_eq!(late, GIGAHERTZ - GIGAHERTZ / 16);
        let early = frequency(late, 5_000_000, 0, Duration::from_millis(5));
        assert_eq!(early, GIGAHERTZ);
        assert_eq!(frequency(0, 1, 1, Duration::ZERO), 1);
    }
}
