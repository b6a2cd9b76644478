//! How long answers take, and how long to wait for them.

use core::time::Duration;

/// Before anything was measured (RFC 6298, section 2.1).
const FIRST_TIMEOUT: u64 = 1_000_000_000;
/// The least that a time-out lies above the round trip. RFC 6298 wants a second in all;
/// Linux has had this for decades.
const FLOOR: u64 = 200_000_000;
const LONGEST: u64 = 60_000_000_000;

/// Round-trip times of one connection (RFC 6298), in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RoundTrip {
    smoothed: Option<u64>,
    variation: u64,
    /// The least that was measured.
    least: u64,
}

impl RoundTrip {
    /// Takes a measurement in.
    pub(super) fn measure(&mut self, sample: Duration) {
        // Longer than that is no round trip.
        let sample = u64::try_from(sample.as_nanos())
            .unwrap_or(LONGEST)
            .min(LONGEST);
        let Some(smoothed) = self.smoothed else {
            self.smoothed = Some(sample);
            self.variation = sample / 2;
            self.least = sample;
            return;
        };
        self.variation = (self.variation * 3 + smoothed.abs_diff(sample)) / 4;
        self.smoothed = Some((smoothed * 7 + sample) / 8);
        self.least = self.least.min(sample);
    }

    /// The smoothed round-trip time, once one was measured.
    pub(super) fn smoothed(&self) -> Option<Duration> {
        self.smoothed.map(Duration::from_nanos)
    }

    pub(super) fn least(&self) -> Duration {
        Duration::from_nanos(self.least)
    }

    /// How long to wait for an acknowledgement that was missed `backoff` times already.
    pub(super) fn timeout(&self, backoff: u8) -> Duration {
        let base = match self.smoothed {
            None => FIRST_TIMEOUT,
            Some(smoothed) => smoothed + (self.variation * 4).max(FLOOR),
        };
        // More doublings would exceed the longest in any case.
        Duration::from_nanos((base << backoff.min(9)).min(LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_follow_the_round_trips() {
        let mut round_trip = RoundTrip::default();
        assert_eq!(round_trip.timeout(0), Duration::from_secs(1));
        assert_eq!(round_trip.timeout(3), Duration::from_secs(8));
        assert_eq!(round_trip.timeout(200), Duration::from_nanos(LONGEST));
        for _ in 0..100 {
            round_trip.measure(Duration::from_millis(10));
        }
        let steady = round_trip.timeout(0);
        assert!(steady >= Duration::from_millis(210) && steady < Duration::from_millis(212));
        for _ in 0..100 {
            round_trip.measure(Duration::from_millis(400));
            round_trip.measure(Duration::from_millis(800));
        }
        assert!(round_trip.timeout(0) > Duration::from_millis(1_200));
        assert_eq!(round_trip.least(), Duration::from_millis(10));
    }
}
