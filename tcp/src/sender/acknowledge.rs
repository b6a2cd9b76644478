//! Acknowledgements: they show which segments have arrived, and which are lost.

use super::{DUPLICATE_ACK_THRESHOLD, Recovery, Sender, Undo};
use crate::pool::Pool;
use crate::scoreboard::AckSummary;
use crate::segment::Segment;
use crate::sequence::Sequence;
use fata_time::Instant;

impl Sender {
    /// Takes in the acknowledgement, SACK blocks and window of a segment. Its acknowledgment number
    /// must not lie beyond SND.NXT. Returns the bytes that are newly acknowledged.
    pub(crate) fn acknowledge(
        &mut self,
        segment: &Segment<'_>,
        pool: &mut Pool,
        now: Instant,
    ) -> u32 {
        let acknowledgment_number = segment.acknowledgment_number;
        let min_rtt = self.rtt.min_rtt();
        let before = self.in_flight();
        let progress = acknowledgment_number.since(self.snd_una);
        let mut summary = AckSummary::default();
        if progress > 0 {
            summary = self
                .scoreboard
                .acknowledge(acknowledgment_number, min_rtt, now);
            self.advance_snd_una(acknowledgment_number, pool, now);
            if self.plpmtud.is_some() {
                self.check_pmtu_probe_acked(now);
            }
        }
        if self.sack_permitted && segment.has_options() {
            self.process_sack(segment, &mut summary, now);
        } else if progress == 0 {
            self.count_duplicate_ack(segment);
        }
        self.update_snd_wnd(segment);
        if let Some(rtt_sample) = summary.rtt_sample {
            self.rtt.measure(rtt_sample);
        }
        if progress > 0 || summary.delivered > 0 || self.duplicate_acks > 0 {
            self.update_recovery(before, &summary, progress, now);
            self.arm(now);
        }
        progress
    }

    /// The peer has acknowledged everything before `acknowledgment_number`.
    fn advance_snd_una(&mut self, acknowledgment_number: Sequence, pool: &mut Pool, now: Instant) {
        // A FIN is no byte of the ring.
        let bytes = acknowledgment_number.min(self.end()).since(self.ring_start);
        self.ring.consume(bytes as usize);
        self.ring_start = self.ring_start + bytes;
        self.snd_una = acknowledgment_number;
        if self.ring.len() == 0 {
            self.ring.release(pool);
        }
        (self.last_progress, self.rto_started) = (now, now);
        self.rto_backoff = 0;
        self.duplicate_acks = 0;
        self.is_tlp_sent = false;
    }

    /// Takes in SACK blocks, of which the first may be a DSACK (RFC 2018, RFC 2883).
    fn process_sack(&mut self, segment: &Segment<'_>, summary: &mut AckSummary, now: Instant) {
        let min_rtt = self.rtt.min_rtt();
        for (index, (start, end)) in segment.sacked().enumerate() {
            if index == 0 && start < end && end <= segment.acknowledgment_number {
                self.note_dsack(end.since(start));
            }
            if start > self.snd_una && start < end && end <= self.snd_nxt {
                self.scoreboard
                    .sack((start, end), self.mss, min_rtt, now, summary);
            }
        }
    }

    /// The peer has got bytes twice (DSACK, RFC 2883): they were late, not lost, when they were
    /// sent again.
    fn note_dsack(&mut self, bytes: u32) {
        self.reordering_window
            .note_dsack(self.snd_una, self.snd_nxt);
        if let Some(undo) = &mut self.undo {
            undo.bytes = undo.bytes.saturating_sub(bytes);
            if undo.bytes == 0 {
                // All of it was sent in vain.
                self.cubic = undo.cubic.or_wider(&self.cubic);
                (self.undo, self.recovery) = (None, None);
            }
        }
    }

    /// Counts a duplicate ACK (RFC 5681, section 2), which shows a loss where there is no SACK.
    fn count_duplicate_ack(&mut self, segment: &Segment<'_>) {
        let is_duplicate = segment.acknowledgment_number == self.snd_una
            && segment.payload.is_empty()
            && !self.scoreboard.is_empty()
            && self.snd_wnd_edge_of(segment) == self.snd_wnd_edge;
        if is_duplicate && !self.sack_permitted {
            self.duplicate_acks = self.duplicate_acks.saturating_add(1);
        }
    }

    /// SEG.ACK + SEG.WND: the right edge of the window that a segment tells.
    fn snd_wnd_edge_of(&self, segment: &Segment<'_>) -> Sequence {
        segment.acknowledgment_number + (u32::from(segment.window) << self.window_scale)
    }

    /// Takes in the window of a segment, unless an older one tells it (RFC 9293, section 3.10.7.4:
    /// SND.WL1, SND.WL2).
    fn update_snd_wnd(&mut self, segment: &Segment<'_>) {
        // An older acknowledgement tells nothing new of the window.
        if segment.acknowledgment_number < self.snd_una {
            return;
        }
        let is_newer = segment.sequence_number > self.snd_wl1
            || (segment.sequence_number == self.snd_wl1
                && segment.acknowledgment_number >= self.snd_wl2);
        if is_newer {
            self.snd_wl1 = segment.sequence_number;
            self.snd_wl2 = segment.acknowledgment_number;
            self.snd_wnd_edge = self.snd_wnd_edge_of(segment);
            self.max_snd_wnd = self
                .max_snd_wnd
                .max(self.snd_wnd_edge.since(segment.acknowledgment_number));
            if self.scoreboard.is_empty() && self.snd_wnd_edge > self.snd_nxt {
                // The peer has left zero-window probes unanswered until now, not segments.
                self.rto_backoff = 0;
            }
        }
    }

    /// Draws the conclusions from an acknowledgement, for recovery and cwnd.
    fn update_recovery(&mut self, before: u32, summary: &AckSummary, progress: u32, now: Instant) {
        if self
            .recovery
            .is_some_and(|recovery| self.snd_una >= recovery.recovery_point)
        {
            self.recovery = None;
            self.reordering_window.note_recovery_end();
        }
        let mut lost = false;
        if self.sack_permitted {
            lost = self.rack_detect_loss(now);
        } else if self.is_first_lost_without_sack(progress) {
            lost = self.scoreboard.lose_first(self.mss);
        }
        if lost {
            self.enter_recovery(now);
        }
        let is_limited = before >= self.cubic.cwnd() / 2;
        let may_grow = self.recovery.is_none_or(|recovery| recovery.after_rto);
        if summary.delivered > 0 && is_limited && may_grow && !lost {
            let rtt = self.rtt.srtt().unwrap_or_default();
            self.cubic.on_ack(summary.delivered, self.mss, rtt, now);
        }
    }

    /// Returns whether the first segment is lost as far as can be told without SACK (RFC 6582):
    /// each partial acknowledgement in a recovery shows the next hole. After a retransmission timeout
    /// all is lost in any case.
    fn is_first_lost_without_sack(&self, progress: u32) -> bool {
        match self.recovery {
            None => self.duplicate_acks == DUPLICATE_ACK_THRESHOLD,
            Some(recovery) => !recovery.after_rto && progress > 0,
        }
    }

    /// Looks for losses by time (RACK, RFC 8985, section 6.2), where there are signs of one.
    /// Returns whether it found any.
    pub(super) fn rack_detect_loss(&mut self, now: Instant) -> bool {
        self.reordering_deadline = None;
        if !self.scoreboard.is_disturbed() && self.recovery.is_none() {
            return false;
        }
        let min_rtt = self.rtt.min_rtt();
        let found;
        let srtt = self.rtt.srtt().unwrap_or_default();
        let reo_wnd = self.reordering_window.reo_wnd(min_rtt, srtt);
        (found, self.reordering_deadline) = self.scoreboard.detect_loss(self.mss, reo_wnd, now);
        found
    }

    pub(super) fn prepare_undo(&mut self) {
        self.undo = self.sack_permitted.then_some(Undo {
            cubic: self.cubic,
            bytes: 0,
        });
    }

    /// Something was found to be lost. A loss of nothing but a PMTU probe is no congestion.
    pub(super) fn enter_recovery(&mut self, now: Instant) {
        self.retransmit_now = true;
        if !self.check_only_pmtu_probe_lost(now) && self.recovery.is_none() {
            self.prepare_undo();
            self.cubic.on_loss(self.mss);
            self.recovery = Some(Recovery {
                recovery_point: self.snd_nxt,
                after_rto: false,
            });
        }
    }
}
