//! From ticks of a counter to nanoseconds, in fixed point.

use core::time::Duration;

/// Fraction bits of a multiplier.
const FRACTION: u32 = 32;
const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

/// How a counter's ticks map to nanoseconds: a line through one point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scale {
    /// The counter at the point.
    pub(crate) ticks: u64,
    /// The time at the point, in nanoseconds.
    pub(crate) nanoseconds: u64,
    /// Nanoseconds a tick, times 2^32.
    pub(crate) multiplier: u64,
}

impl Scale {
    /// The multiplier of a counter with `frequency` ticks a second. A frequency of zero
    /// counts as one.
    pub(crate) fn multiplier(frequency: u64) -> u64 {
        (NANOSECONDS_PER_SECOND << FRACTION) / frequency.max(1)
    }

    /// The time when the counter shows `ticks`. Before the point it stands still.
    pub(crate) fn at(&self, ticks: u64) -> u64 {
        let passed = u128::from(ticks.saturating_sub(self.ticks));
        let nanoseconds = (passed * u128::from(self.multiplier)) >> FRACTION;
        self.nanoseconds.saturating_add(nanoseconds as u64)
    }

    /// The same time at `ticks`, and another speed from there on. So the time never jumps.
    pub(crate) fn retuned(&self, ticks: u64, multiplier: u64) -> Self {
        Self {
            ticks,
            nanoseconds: self.at(ticks),
            multiplier,
        }
    }
}

/// In how many ticks `duration` has passed for certain, at a multiplier as [`Scale`] has
/// it. A duration over 2^32 nanoseconds counts as that.
pub(crate) fn ticks_for(duration: Duration, multiplier: u64) -> u64 {
    let nanoseconds = duration.as_nanos().min(u32::MAX.into()) as u64;
    // One more for what the division cuts off.
    (nanoseconds << FRACTION) / multiplier.max(1) + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_duration_has_passed_after_its_ticks_and_not_long_before(
            frequency in 1_000_000u64..10_000_000_000,
            start in 0..u64::MAX / 4,
            nanoseconds in 0..=u64::from(u32::MAX),
        ) {
            let multiplier = Scale::multiplier(frequency);
            let scale = Scale { ticks: start, nanoseconds: 7, multiplier };
            let ticks = ticks_for(Duration::from_nanos(nanoseconds), multiplier);
            prop_assert!(scale.at(start + ticks) >= 7 + nanoseconds);
            prop_assert!(scale.at(start + ticks - 2) <= 7 + nanoseconds);
        }
    }

    #[test]
    fn a_long_duration_counts_as_four_seconds() {
        let multiplier = Scale::multiplier(1_000_000_000);
        assert_eq!(ticks_for(Duration::MAX, multiplier), 1 << 32);
        assert_eq!(ticks_for(Duration::ZERO, 0), 1);
    }

    #[test]
    fn a_retuned_scale_does_not_jump() {
        let slow = Scale {
            ticks: 1_000,
            nanoseconds: 50,
            multiplier: Scale::multiplier(2_000_000_000),
        };
        assert_eq!(slow.at(1_000), 50);
        assert_eq!(slow.at(500), 50);
        assert_eq!(slow.at(3_000), 1_050);
        let fast = slow.retuned(3_000, Scale::multiplier(1_000_000_000));
        assert_eq!(fast.at(3_000), slow.at(3_000));
        assert_eq!(fast.at(4_000), 2_050);
    }

    #[test]
    fn a_century_does_not_overflow() {
        let scale = Scale {
            ticks: 0,
            nanoseconds: 0,
            multiplier: Scale::multiplier(3_000_000_000),
        };
        let century = 100 * 365 * 86_400;
        let error = scale.at(3_000_000_000 * century) / 1_000_000_000;
        assert!(century.abs_diff(error) <= 2);
        assert_eq!(Scale::multiplier(0), NANOSECONDS_PER_SECOND << FRACTION);
    }

    proptest! {
        #[test]
        fn time_never_runs_back_however_it_is_retuned(
            events in prop::collection::vec((0u64..1 << 45, prop::option::of(1u64..1 << 34)), 1..50),
        ) {
            let mut scale = Scale {
                ticks: 0,
                nanoseconds: 0,
                multiplier: Scale::multiplier(1_000_000_000),
            };
            let (mut ticks, mut last) = (0, 0);
            for (passed, frequency) in events {
                // A retuned scale starts where a sample was taken, after the last question.
                if let Some(frequency) = frequency {
                    scale = scale.retuned(ticks + passed / 2, Scale::multiplier(frequency));
                }
                ticks += passed;
                let now = scale.at(ticks);
                prop_assert!(now >= last);
                last = now;
            }
        }
    }
}
