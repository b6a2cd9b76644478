//! What acknowledgements tell: what has arrived, and what is lost.

use super::{DUPLICATES, Recovery, Sender, Undo};
use crate::flight::News;
use crate::pool::Pool;
use crate::segment::Segment;
use crate::sequence::Sequence;
use fata_time::Instant;

impl Sender {
    /// Takes in what a segment says of what was sent. Its acknowledgement must not lie
    /// beyond [`next`](Self::next). Returns the bytes that are newly acknowledged.
    pub(crate) fn acknowledge(
        &mut self,
        segment: &Segment<'_>,
        pool: &mut Pool,
        now: Instant,
    ) -> u32 {
        let acknowledged = segment.acknowledged;
        let least = self.round_trip.least();
        let before = self.in_flight();
        let progress = acknowledged.since(self.unacknowledged);
        let mut news = News::default();
        if progress > 0 {
            news = self.flight.acknowledge(acknowledged, least, now);
            self.advance(acknowledged, pool, now);
            if self.search.is_some() {
                self.note_longer_arrived(now);
            }
        }
        if self.sack && segment.has_options() {
            self.take_sacked(segment, &mut news, now);
        } else if progress == 0 {
            self.count_duplicate(segment);
        }
        self.open_window(segment);
        if let Some(sample) = news.sample {
            self.round_trip.measure(sample);
        }
        if progress > 0 || news.delivered > 0 || self.duplicates > 0 {
            self.judge(before, &news, progress, now);
            self.arm(now);
        }
        progress
    }

    fn advance(&mut self, acknowledged: Sequence, pool: &mut Pool, now: Instant) {
        // A FIN is no byte of the ring.
        let bytes = acknowledged.min(self.end()).since(self.base);
        self.ring.consume(bytes as usize);
        self.base = self.base + bytes;
        self.unacknowledged = acknowledged;
        if self.ring.len() == 0 {
            self.ring.release(pool);
        }
        (self.progress, self.armed) = (now, now);
        self.backoff = 0;
        self.duplicates = 0;
        self.probed = false;
    }

    fn take_sacked(&mut self, segment: &Segment<'_>, news: &mut News, now: Instant) {
        let least = self.round_trip.least();
        for (index, (start, end)) in segment.sacked().enumerate() {
            if index == 0 && start < end && end <= segment.acknowledged {
                self.note_duplicate(end.since(start));
            }
            if start > self.unacknowledged && start < end && end <= self.next {
                self.flight
                    .sack((start, end), self.segment, least, now, news);
            }
        }
    }

    /// The peer has got bytes twice (RFC 2883): what was sent again was late, not lost.
    fn note_duplicate(&mut self, bytes: u32) {
        const MOST_PATIENCE: u32 = 64;
        const RECOVERIES: u8 = 16;
        if self.unacknowledged >= self.patience_point {
            self.patience_point = self.next;
            self.patience = (self.patience + 1).min(MOST_PATIENCE);
        }
        self.patience_left = RECOVERIES;
        if let Some(undo) = &mut self.undo {
            undo.bytes = undo.bytes.saturating_sub(bytes);
            if undo.bytes == 0 {
                // All of it was sent in vain.
                self.congestion = undo.congestion.or_wider(&self.congestion);
                (self.undo, self.recovery) = (None, None);
            }
        }
    }

    /// Without SACK, a loss shows in segments that acknowledge the same again (RFC 5681,
    /// section 2).
    fn count_duplicate(&mut self, segment: &Segment<'_>) {
        let is_duplicate = segment.acknowledged == self.unacknowledged
            && segment.payload.is_empty()
            && !self.flight.is_empty()
            && self.edge_of(segment) == self.edge;
        if is_duplicate && !self.sack {
            self.duplicates = self.duplicates.saturating_add(1);
        }
    }

    fn edge_of(&self, segment: &Segment<'_>) -> Sequence {
        segment.acknowledged + (u32::from(segment.window) << self.shift)
    }

    fn open_window(&mut self, segment: &Segment<'_>) {
        // What is older than another acknowledgement tells nothing new of the window.
        if segment.acknowledged < self.unacknowledged {
            return;
        }
        let (sequence, acknowledged) = self.told;
        let is_newer = segment.sequence > sequence
            || (segment.sequence == sequence && segment.acknowledged >= acknowledged);
        if is_newer {
            self.told = (segment.sequence, segment.acknowledged);
            self.edge = self.edge_of(segment);
            self.widest = self.widest.max(self.edge.since(segment.acknowledged));
            if self.flight.is_empty() && self.edge > self.next {
                // Unanswered until now was the question for a window, not a segment.
                self.backoff = 0;
            }
        }
    }

    /// Draws the conclusions from an acknowledgement.
    fn judge(&mut self, before: u32, news: &News, progress: u32, now: Instant) {
        if self
            .recovery
            .is_some_and(|recovery| self.unacknowledged >= recovery.point)
        {
            self.recovery = None;
            self.patience_left = self.patience_left.saturating_sub(1);
            if self.patience_left == 0 {
                self.patience = 1;
            }
        }
        let mut lost = false;
        if self.sack {
            lost = self.find_lost(now);
        } else if self.shows_hole(progress) {
            lost = self.flight.lose_first(self.segment);
        }
        if lost {
            self.react_to_loss(now);
        }
        let is_limited = before >= self.congestion.window() / 2;
        let may_grow = self.recovery.is_none_or(|recovery| recovery.slow);
        if news.delivered > 0 && is_limited && may_grow && !lost {
            let trip = self.round_trip.smoothed().unwrap_or_default();
            self.congestion
                .acknowledged(news.delivered, self.segment, trip, now);
        }
    }

    /// Whether the first segment is lost as far as can be told without SACK (RFC 6582): each
    /// advance in a recovery shows the next hole. After a time-out all is lost in any case.
    fn shows_hole(&self, progress: u32) -> bool {
        match self.recovery {
            None => self.duplicates == DUPLICATES,
            Some(recovery) => !recovery.slow && progress > 0,
        }
    }

    /// Looks for losses, where there are signs of one. Returns whether it found any.
    pub(super) fn find_lost(&mut self, now: Instant) -> bool {
        self.late = None;
        if !self.flight.is_disturbed() && self.recovery.is_none() {
            return false;
        }
        let least = self.round_trip.least();
        let found;
        let smoothed = self.round_trip.smoothed().unwrap_or_default();
        let patience = (least / 4 * self.patience).min(smoothed);
        (found, self.late) = self.flight.find_lost(self.segment, patience, now);
        found
    }

    pub(super) fn prepare_undo(&mut self) {
        self.undo = self.sack.then_some(Undo {
            congestion: self.congestion,
            bytes: 0,
        });
    }

    /// Something was found to be lost.
    pub(super) fn react_to_loss(&mut self, now: Instant) {
        self.urgent = true;
        if !self.is_probe_lost(now) && self.recovery.is_none() {
            self.prepare_undo();
            self.congestion.lost(self.segment);
            self.recovery = Some(Recovery {
                point: self.next,
                slow: false,
            });
        }
    }
}
