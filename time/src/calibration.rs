//! Measuring a counter's frequency against the PIT, in ever longer windows.
//!
//! The PIT's count wraps every 55 ms. A first window of some 50 µs gives the frequency to
//! a few per cent, good enough to tell how often the count has wrapped in a window of
//! milliseconds; that one gives it to a tenth of a per cent, and so on.

/// Ticks of the PIT a second.
pub(crate) const PIT_FREQUENCY: u64 = 1_193_182;
const PIT_PERIOD: u64 = 65_536;

/// A frequency that a processor calls nominal is right to a per cent: as if it had been
/// measured over this window, in ticks of the PIT.
const NOMINAL_WINDOW: u64 = 200;
const NOMINAL_ERROR: u64 = 2;

/// Both counters at one moment. The PIT counts down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) ticks: u64,
    pub(crate) pit: u16,
    /// The PIT was read at most so many ticks before or after.
    pub(crate) spread: u64,
}

/// A measurement under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Calibration {
    start: Sample,
    frequency: u64,
    /// The last window, and how much it may be off, in ticks of the PIT.
    window: u64,
    error: u64,
}

impl Calibration {
    /// The first, short window. It must be shorter than the PIT's period.
    pub(crate) fn new(start: Sample, end: Sample) -> Self {
        let window = u64::from(start.pit.wrapping_sub(end.pit)).max(1);
        let passed = (end.ticks - start.ticks).max(1);
        Self {
            start,
            frequency: passed * PIT_FREQUENCY / window,
            window,
            error: 2 + (start.spread + end.spread) * window / passed,
        }
    }

    /// Starts from a nominal frequency, which only longer windows will improve on.
    pub(crate) fn nominal(start: Sample, frequency: u64) -> Self {
        Self {
            start,
            frequency: frequency.max(1),
            window: NOMINAL_WINDOW,
            error: NOMINAL_ERROR,
        }
    }

    /// Ticks a second, as far as it is known.
    pub(crate) fn frequency(&self) -> u64 {
        self.frequency
    }

    /// How much the frequency may be off, in millionths, the PIT taken as right.
    pub(crate) fn error(&self) -> u64 {
        (self.error * 1_000_000).div_ceil(self.window)
    }

    /// Takes a later sample in. A window that is too long for what is known so far cannot
    /// be used; the measurement then starts anew from this sample, and the result is
    /// `false`: a short window must come next. A sample that cannot be true, as from a PIT
    /// that does not count, changes nothing.
    pub(crate) fn refine(&mut self, sample: Sample) -> bool {
        let passed = sample.ticks.saturating_sub(self.start.ticks);
        let expected = self.in_pit_ticks(passed);
        // Each of the two reads of the PIT is off by one at most.
        let spread = self.start.spread.saturating_add(sample.spread);
        let error = 2 + self.in_pit_ticks(spread);
        // How far the window may be from what is expected of it, and no further than half
        // a period, or the number of periods would not be known.
        let doubt = expected.saturating_mul(self.error) / self.window + error;
        if doubt >= PIT_PERIOD / 2 {
            self.start = sample;
            return false;
        }
        let remainder = u64::from(self.start.pit.wrapping_sub(sample.pit));
        let periods = (expected + PIT_PERIOD / 2).saturating_sub(remainder) / PIT_PERIOD;
        let window = periods * PIT_PERIOD + remainder;
        let is_better = u128::from(error) * u128::from(self.window)
            < u128::from(self.error) * u128::from(window);
        if is_better && window.abs_diff(expected) <= doubt {
            let frequency = u128::from(passed) * u128::from(PIT_FREQUENCY) / u128::from(window);
            self.frequency = (frequency as u64).max(1);
            (self.window, self.error) = (window, error);
        }
        true
    }

    /// How often the PIT counts, rounded up, while the counter counts `ticks`, as far as
    /// it is known.
    fn in_pit_ticks(&self, ticks: u64) -> u64 {
        let ticks = u128::from(ticks) * u128::from(PIT_FREQUENCY);
        ticks
            .div_ceil(self.frequency.into())
            .try_into()
            .unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TRUE_FREQUENCY: u64 = 2_456_789_012;

    /// The values of both counters after `microseconds`, read up to `late` PIT ticks late.
    fn sample(microseconds: u64, late: u64) -> Sample {
        let pit = microseconds * PIT_FREQUENCY / 1_000_000 + late;
        Sample {
            ticks: 77 + microseconds * (TRUE_FREQUENCY / 1_000) / 1_000,
            pit: 1_234u16.wrapping_sub((pit % PIT_PERIOD) as u16),
            spread: late * TRUE_FREQUENCY / PIT_FREQUENCY,
        }
    }

    fn error_in_millionths(calibration: &Calibration) -> u64 {
        calibration.frequency().abs_diff(TRUE_FREQUENCY) * 1_000_000 / TRUE_FREQUENCY
    }

    #[test]
    fn gets_better_with_every_window() {
        let mut calibration = Calibration::new(sample(0, 0), sample(50, 2));
        assert!(error_in_millionths(&calibration) < 60_000);
        for (microseconds, bound) in [(1_000, 3_000), (30_000, 100), (900_000, 5), (9_000_000, 1)] {
            calibration.refine(sample(microseconds, 2));
            assert!(
                error_in_millionths(&calibration) <= bound,
                "{microseconds} µs"
            );
            assert!(error_in_millionths(&calibration) <= calibration.error());
        }
    }

    #[test]
    fn starts_anew_after_too_long_a_window() {
        let mut calibration = Calibration::new(sample(0, 0), sample(50, 2));
        assert!(!calibration.refine(sample(20_000_000, 0)));
        assert!(error_in_millionths(&calibration) < 60_000, "unchanged");
        assert!(calibration.refine(sample(20_010_000, 1)));
        assert!(error_in_millionths(&calibration) < 1_000);
    }

    #[test]
    fn a_nominal_frequency_is_improved_on() {
        let nominal = TRUE_FREQUENCY / 1_000 * 1_002;
        let mut calibration = Calibration::nominal(sample(0, 1), nominal);
        calibration.refine(sample(100, 2));
        assert_eq!(calibration.frequency(), nominal, "too short a window");
        calibration.refine(sample(10_000, 2));
        assert!(error_in_millionths(&calibration) < 400);
    }

    #[test]
    fn a_pit_that_does_not_count_changes_little() {
        let stopped = |microseconds| Sample {
            pit: 0xffff,
            ..sample(microseconds, 1)
        };
        let mut calibration = Calibration::nominal(stopped(0), TRUE_FREQUENCY);
        for doubling in 0..30 {
            calibration.refine(stopped(1_000 << doubling));
            assert!(error_in_millionths(&calibration) <= 10_000);
        }
    }

    #[test]
    fn a_read_that_was_interrupted_is_known_to_be_bad() {
        // 4 ms passed between the reads of the two counters.
        let mut calibration = Calibration::new(sample(0, 0), sample(50, 2));
        calibration.refine(sample(1_000, 2));
        let before = calibration.error();
        calibration.refine(sample(5_000, 4_773));
        assert_eq!(calibration.error(), before);
    }

    proptest! {
        #[test]
        fn the_error_is_as_stated(
            first in 50u64..500,
            samples in prop::collection::vec((1u64..20_000_000, 0u64..2_000), 0..12),
        ) {
            let mut calibration = Calibration::new(sample(0, 0), sample(first, 2));
            let mut now = first;
            for (passed, late) in samples {
                now += passed;
                calibration.refine(sample(now, late));
                // The counters of this test are rounded to millionths themselves.
                prop_assert!(error_in_millionths(&calibration) <= calibration.error() + 1);
            }
        }
    }
}
