//! Tail loss probes (TLP; RFC 8985, section 7).
//!
//! No later segments show the loss of the last ones. A probe has them acknowledged, so that RACK
//! can find losses before the RTO.

use super::{Outgoing, Sender};
use core::time::Duration;
use fata_time::Instant;

/// The acknowledgement of a lone segment may be delayed by so much (section 7.2:
/// TLP.max_ack_delay).
const TLP_MAX_ACK_DELAY: Duration = Duration::from_millis(200);
/// The least probe timeout (section 7.2: PTO).
const MIN_PTO: Duration = Duration::from_millis(10);

impl Sender {
    /// The time of the probe that shows whether the last segments were lost, if there is to be one
    /// (RFC 8985, section 7.2: TLP_calc_PTO).
    pub(super) fn probe_timeout(&self, now: Instant) -> Option<Instant> {
        let may_probe = self.sack_permitted
            && !self.is_tlp_sent
            && self.rto_backoff == 0
            && self.recovery.is_none()
            && !self.scoreboard.is_disturbed();
        let srtt = self.rtt.srtt().filter(|_| may_probe)?;
        let is_lone = self.scoreboard.bytes() <= self.mss;
        let delay = if is_lone {
            TLP_MAX_ACK_DELAY
        } else {
            Duration::ZERO
        };
        Some(now.max(self.rto_started) + (srtt * 2 + delay).max(MIN_PTO))
    }

    /// The segment of a probe: something new, or the last segment again (RFC 8985, section 7.3:
    /// TLP_send_probe).
    pub(crate) fn tail_loss_probe(&self) -> Option<Outgoing> {
        self.next_new_data(self.mss, self.mss, 0)
            .or_else(|| Some(self.outgoing(self.scoreboard.last(self.mss)?, true)))
    }
}
