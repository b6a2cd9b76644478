//! Black holes (RFC 8899, section 4.3): segments that no longer pass a path become shorter, and
//! probes look for its limit.

use super::plpmtud::Plpmtud;
use super::{Outgoing, Sender};
use alloc::boxed::Box;
use fata_time::Instant;

/// The size that is fallen back to first (RFC 8899, section 5.1.2): with headers just below 1,280
/// bytes, which any link of IPv6 takes.
const BASE_PLPMTU: u32 = 1_200;
/// The size that is fallen back to then: with headers just below 600 bytes.
const MIN_PLPMTU: u32 = 536;
/// Segments behind a probe, which show its loss without a timeout.
const FOLLOWING: u32 = 3;

impl Sender {
    /// Shortens segments to `mss` bytes, and looks for the limit from there, or later if it is
    /// known.
    fn fall_back(&mut self, mss: u32, is_known: bool, now: Instant) {
        let before = self.mss;
        let max_plpmtu = self.plpmtud.as_ref().map_or(before, |it| it.max_plpmtu);
        let mut plpmtud = Plpmtud {
            max_plpmtu,
            failed_size: if is_known { mss + 1 } else { before },
            due: now,
            probe: None,
        };
        plpmtud.schedule_probe(mss, now);
        self.plpmtud = Some(Box::new(plpmtud));
        self.set_mss(mss);
    }

    /// The path has turned out to take no longer segments than that: all that is under way is
    /// sent again. It is no sign of congestion (RFC 8201, section 5.4).
    pub(crate) fn reduce_mss(&mut self, mss: u32, now: Instant) {
        self.fall_back(mss, true, now);
        self.scoreboard.lose_all();
        self.retransmit_now = true;
        self.arm(now);
    }

    /// Nothing was acknowledged for a whole RTO: that may be for the size of segments (RFC 8899,
    /// section 4.3: black hole detection).
    pub(super) fn suspect_black_hole(&mut self, now: Instant) {
        if self.check_only_pmtu_probe_lost(now) || self.rto_backoff.is_multiple_of(2) {
            return;
        }
        let Some((start, end)) = self.scoreboard.first_lost(self.mss) else {
            return;
        };
        let shorter = [BASE_PLPMTU, MIN_PLPMTU]
            .into_iter()
            .find(|size| *size < end.since(start));
        if let Some(shorter) = shorter {
            self.fall_back(shorter, false, now);
        }
    }

    /// A probe, which is a segment that is longer than the others, if one is to be sent now.
    pub(crate) fn next_pmtu_probe(&self, now: Instant) -> Option<Outgoing> {
        let plpmtud = self.plpmtud.as_ref()?;
        let is_quiet =
            self.sack_permitted && self.recovery.is_none() && !self.scoreboard.has_lost();
        if plpmtud.probe.is_some() || plpmtud.due > now || !is_quiet || self.scoreboard.is_full() {
            return None;
        }
        let length = plpmtud.probed_size(self.mss);
        let window = self.snd_wnd_edge.since(self.snd_nxt);
        let room = self.cubic.cwnd().saturating_sub(self.in_flight());
        let possible = self.end().since(self.snd_nxt).min(window).min(room);
        let range = (self.snd_nxt, self.snd_nxt + length);
        (possible >= length + FOLLOWING * self.mss).then_some(Outgoing {
            range,
            is_retransmission: false,
            fin: false,
            push: false,
        })
    }

    /// Notes that the probe was sent.
    pub(crate) fn pmtu_probe_sent(&mut self, next: &Outgoing) {
        if let Some(plpmtud) = &mut self.plpmtud {
            plpmtud.probe = Some(next.range);
        }
    }

    /// Draws the conclusion if the probe has arrived.
    pub(super) fn check_pmtu_probe_acked(&mut self, now: Instant) {
        let Some(plpmtud) = &mut self.plpmtud else {
            return;
        };
        let Some((start, end)) = plpmtud.probe.filter(|probe| probe.1 <= self.snd_una) else {
            return;
        };
        plpmtud.probe = None;
        let size = end.since(start);
        plpmtud.schedule_probe(size, now);
        if size >= plpmtud.max_plpmtu {
            self.plpmtud = None;
        }
        self.set_mss(size);
    }

    /// Returns whether the probe is lost, and nothing else, which is no sign of congestion (RFC
    /// 8899, section 3). Draws the conclusion if it is lost.
    pub(super) fn check_only_pmtu_probe_lost(&mut self, now: Instant) -> bool {
        let Some(plpmtud) = &mut self.plpmtud else {
            return false;
        };
        let Some((start, end)) = plpmtud
            .probe
            .filter(|probe| self.scoreboard.is_lost(probe.0))
        else {
            return false;
        };
        plpmtud.probe = None;
        plpmtud.failed_size = end.since(start);
        plpmtud.schedule_probe(self.mss, now);
        self.scoreboard.lost() <= end.since(start)
    }
}
