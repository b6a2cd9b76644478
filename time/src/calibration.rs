//! Measuring a counter's frequency against the PIT, in ever longer windows.
//!
//! The PIT's count wraps every 55 ms. A first window of some 50 µs gives the frequency to
//! a few per cent, good enough to tell how often the count has wrapped in a window of
//! milliseconds; that one gives it to a tenth of a per cent, and so on.

/// Ticks of the PIT a second.
pub(crate) const PIT_FREQUENCY: u64 = 1_193_182;
const PIT_PERIOD: u64 = 65_536;

/// Both counters at one moment. The PIT counts down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) ticks: u64,
    pub(crate) pit: u16,
}

/// A measurement under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Calibration {
    start: Sample,
    frequency: u64,
    /// The last window, in ticks of the PIT.
    window: u64,
}

impl Calibration {
    /// The first, short window. It must be shorter than the PIT's period.
    pub(crate) fn new(start: Sample, end: Sample) -> Self {
        let window = u64::from(start.pit.wrapping_sub(end.pit)).max(1);
        Self {
            start,
            frequency: (end.ticks - start.ticks) * PIT_FREQUENCY / window,
            window,
        }
    }

    /// Ticks a second, as far as it is known.
    pub(crate) fn frequency(&self) -> u64 {
        self.frequency
    }

    /// Takes a later sample in. A window that is too long for what is known so far cannot
    /// be used; the measurement then starts anew from this sample.
    pub(crate) fn refine(&mut self, sample: Sample) {
        let passed = sample.ticks.saturating_sub(self.start.ticks);
        let expected = (u128::from(passed) * u128::from(PIT_FREQUENCY)
            / u128::from(self.frequency.max(1))) as u64;
        // Each sample is good to about two ticks of the PIT, so what is known errs by at
        // most four in `window`; the error over this window must stay under half a period.
        let error = expected.saturating_mul(4) / self.window;
        if error >= PIT_PERIOD / 2 {
            self.start = sample;
            return;
        }
        let remainder = u64::from(self.start.pit.wrapping_sub(sample.pit));
        let periods = (expected + PIT_PERIOD / 2).saturating_sub(remainder) / PIT_PERIOD;
        let window = periods * PIT_PERIOD + remainder;
        if window > self.window {
            self.window = window;
            self.frequency =
                (u128::from(passed) * u128::from(PIT_FREQUENCY) / u128::from(window)) as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUE_FREQUENCY: u64 = 2_456_789_012;

    /// What both counters show after `microseconds`, read up to `late` PIT ticks late.
    fn sample(microseconds: u64, late: u64) -> Sample {
        let pit = microseconds * PIT_FREQUENCY / 1_000_000 + late;
        Sample {
            ticks: 77 + microseconds * (TRUE_FREQUENCY / 1_000) / 1_000,
            pit: 1_234u16.wrapping_sub((pit % PIT_PERIOD) as u16),
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
        }
    }

    #[test]
    fn starts_anew_after_too_long_a_window() {
        let mut calibration = Calibration::new(sample(0, 0), sample(50, 2));
        calibration.refine(sample(20_000_000, 0));
        assert!(error_in_millionths(&calibration) < 60_000, "unchanged");
        calibration.refine(sample(20_010_000, 1));
        assert!(error_in_millionths(&calibration) < 1_000);
    }
}
