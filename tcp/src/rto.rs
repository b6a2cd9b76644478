//! Round-trip times, and the RTO that follows from them (RFC 6298).

use core::time::Duration;

/// Before anything was measured (RFC 6298, section 2.1).
const INITIAL_RTO: u64 = 1_000_000_000;
/// The least that the RTO lies above the round trip. RFC 6298 wants a second in all (section 2.4);
/// Linux has had this for decades.
const MIN_RTO: u64 = 200_000_000;
/// The most that the RTO may be (section 2.5).
const MAX_RTO: u64 = 60_000_000_000;

/// Round-trip times of one connection, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RttEstimator {
    /// SRTT, once a round trip was measured.
    srtt: Option<u64>,
    /// RTTVAR.
    rttvar: u64,
    /// The least that was measured (RFC 8985: RACK.min_RTT).
    min_rtt: u64,
}

impl RttEstimator {
    /// Takes a measurement in (section 2).
    pub(super) fn measure(&mut self, sample: Duration) {
        // Longer than that is no round trip.
        let sample = u64::try_from(sample.as_nanos())
            .unwrap_or(MAX_RTO)
            .min(MAX_RTO);
        let Some(srtt) = self.srtt else {
            self.srtt = Some(sample);
            self.rttvar = sample / 2;
            self.min_rtt = sample;
            return;
        };
        self.rttvar = (self.rttvar * 3 + srtt.abs_diff(sample)) / 4;
        self.srtt = Some((srtt * 7 + sample) / 8);
        self.min_rtt = self.min_rtt.min(sample);
    }

    /// SRTT, the smoothed round-trip time, once one was measured.
    pub(super) fn srtt(&self) -> Option<Duration> {
        self.srtt.map(Duration::from_nanos)
    }

    pub(super) fn min_rtt(&self) -> Duration {
        Duration::from_nanos(self.min_rtt)
    }

    /// RTO, after `backoff` retransmission timeouts in a row (section 5.5).
    pub(super) fn rto(&self, backoff: u8) -> Duration {
        let base = match self.srtt {
            None => INITIAL_RTO,
            Some(srtt) => srtt + (self.rttvar * 4).max(MIN_RTO),
        };
        // More doublings would exceed the longest in any case.
        Duration::from_nanos((base << backoff.min(9)).min(MAX_RTO))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rtos_follow_the_round_trips() {
        let mut estimator = RttEstimator::default();
        assert_eq!(estimator.rto(0), Duration::from_secs(1));
        assert_eq!(estimator.rto(3), Duration::from_secs(8));
        assert_eq!(estimator.rto(200), Duration::from_nanos(MAX_RTO));
        for _ in 0..100 {
            estimator.measure(Duration::from_millis(10));
        }
        let steady = estimator.rto(0);
        assert!(steady >= Duration::from_millis(210) && steady < Duration::from_millis(212));
        for _ in 0..100 {
            estimator.measure(Duration::from_millis(400));
            estimator.measure(Duration::from_millis(800));
        }
        assert!(estimator.rto(0) > Duration::from_millis(1_200));
        assert_eq!(estimator.min_rtt(), Duration::from_millis(10));
    }
}
