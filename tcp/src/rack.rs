//! RACK: the detection of losses by time (RFC 8985).

use super::sequence::Sequence;
use core::time::Duration;
use fata_time::Instant;

/// The most that the reordering window is widened, in quarters of the least round trip.
const MAX_REO_WND_MULT: u32 = 64;
/// Recoveries that a wider reordering window holds for (RFC 8985, section 6.2.4).
const REO_WND_PERSIST: u8 = 16;

/// A segment in the order of sending: when it was sent last (RFC 8985: Segment.xmit_ts), and where
/// it ends (Segment.end_seq).
pub(super) type Transmission = (Instant, Sequence);

/// Returns whether a segment was sent after another one. Of those sent at the same time it is the
/// one that ends later (RFC 8985, section 6.2: RACK_sent_after).
pub(super) fn is_sent_after(one: Transmission, other: Transmission) -> bool {
    one.0 > other.0 || (one.0 == other.0 && one.1 > other.1)
}

/// The newest of all segments that were delivered, by which older ones are late.
#[derive(Default)]
pub(super) struct Rack {
    /// RACK.xmit_ts and RACK.end_seq: of the delivered segments the one that was sent last.
    latest: Option<Transmission>,
    /// RACK.rtt: the time that it took.
    rack_rtt: Duration,
    /// RACK.fack: the end of everything that the peer has, gaps before it or not.
    fack: Option<Sequence>,
    /// RACK.reordering_seen: segments have overtaken each other on this path.
    pub(super) reordering_seen: bool,
}

impl Rack {
    /// Notes that a segment was delivered which ends at `end_seq` (RFC 8985, section 6.2, step 3).
    pub(super) fn note_delivered(&mut self, end_seq: Sequence, is_retransmitted: bool) {
        match self.fack {
            Some(fack) if end_seq <= fack => self.reordering_seen |= !is_retransmitted,
            _ => self.fack = Some(end_seq),
        }
    }

    /// Takes in the round trip of a segment that was delivered (RFC 8985, section 6.2, step 2).
    pub(super) fn update(&mut self, sent: Transmission, rtt: Duration) {
        if self.latest.is_none_or(|latest| is_sent_after(sent, latest)) {
            self.latest = Some(sent);
            self.rack_rtt = rtt;
        }
    }

    /// The segment by which others are late, once there is one.
    pub(super) fn latest(&self) -> Option<Transmission> {
        self.latest
    }

    /// From when on a segment sent at `xmit_ts` before the latest one is lost (RFC 8985, section
    /// 6.2, step 5).
    pub(super) fn lost_from(&self, xmit_ts: Instant, reo_wnd: Duration) -> Instant {
        xmit_ts + self.rack_rtt + reo_wnd
    }
}

/// How long a segment may be late on a path where segments overtake each other (RFC 8985, section
/// 6.2, step 4).
pub(super) struct ReorderingWindow {
    /// RACK.reo_wnd_mult: its length in quarters of the least round trip.
    mult: u32,
    /// RACK.reo_wnd_persist: recoveries until it is short again.
    persist: u8,
    /// RACK.dsack_round: it grows once a round trip, and not before this is acknowledged.
    dsack_round: Sequence,
}

impl ReorderingWindow {
    pub(super) fn new(iss: Sequence) -> Self {
        Self {
            mult: 1,
            persist: 0,
            dsack_round: iss,
        }
    }

    /// A DSACK shows a retransmission in vain: the window was too short.
    pub(super) fn note_dsack(&mut self, snd_una: Sequence, snd_nxt: Sequence) {
        if snd_una >= self.dsack_round {
            self.dsack_round = snd_nxt;
            self.mult = (self.mult + 1).min(MAX_REO_WND_MULT);
        }
        self.persist = REO_WND_PERSIST;
    }

    /// A recovery has ended.
    pub(super) fn note_recovery_end(&mut self) {
        self.persist = self.persist.saturating_sub(1);
        if self.persist == 0 {
            self.mult = 1;
        }
    }

    /// RACK.reo_wnd.
    pub(super) fn reo_wnd(&self, min_rtt: Duration, srtt: Duration) -> Duration {
        (min_rtt / 4 * self.mult).min(srtt)
    }
}
