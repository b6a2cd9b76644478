//! The scoreboard (RFC 6675, RFC 8985): the segments in flight, and which of them are sacked or
//! lost.

#[cfg(test)]
mod tests;

use super::rack::{Rack, Transmission, is_sent_after};
use super::segment::Range;
use super::sequence::Sequence;
use alloc::collections::VecDeque;
use core::time::Duration;
use fata_time::Instant;

/// DupThresh of RFC 8985, section 6.2: so many segments that came later show that one is lost,
/// unless segments overtake each other on this path.
const DUP_THRESH: u32 = 3;
/// More records than this are not made; see [`Scoreboard::is_full`].
const MAX_RECORDS: usize = 1_024;
/// Of that many, none is torn apart any more for a SACK block, which is mere advice (RFC 2018,
/// section 8).
const MAX_SPLIT_RECORDS: usize = 2 * MAX_RECORDS;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    InFlight,
    /// The peer has it, but not all before it.
    Sacked,
    Lost,
}

/// Bytes that were sent together.
#[derive(Clone, Copy, Debug)]
struct Record {
    start: Sequence,
    end: Sequence,
    /// Segment.xmit_ts of RFC 8985: the time when it was sent last.
    xmit_ts: Instant,
    mark: Mark,
    /// Segment.retransmitted of RFC 8985: it was sent more than once.
    is_retransmitted: bool,
}

impl Record {
    fn len(&self) -> u32 {
        self.end.since(self.start)
    }

    fn transmission(&self) -> Transmission {
        (self.xmit_ts, self.end)
    }
}

/// The result of an acknowledgement.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AckSummary {
    /// Bytes that are newly acknowledged or sacked.
    pub(super) delivered: u32,
    /// A round trip that it measures, not of a retransmission (Karn's algorithm: RFC 6298, section
    /// 3).
    pub(super) rtt_sample: Option<Duration>,
}

/// The segments in flight, in the order of their sequence numbers.
#[derive(Default)]
pub(super) struct Scoreboard {
    records: VecDeque<Record>,
    sacked: u32,
    lost: u32,
    rack: Rack,
}

impl Scoreboard {
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Returns whether no further record fits, so that small segments have to wait and join.
    pub(super) fn is_full(&self) -> bool {
        self.records.len() >= MAX_RECORDS
    }

    /// Bytes in flight: neither acknowledged, sacked nor lost (RFC 6675: pipe).
    pub(super) fn bytes(&self) -> u32 {
        match (self.records.front(), self.records.back()) {
            (Some(first), Some(last)) => last.end.since(first.start) - self.sacked - self.lost,
            _ => 0,
        }
    }

    /// Returns whether anything is sacked or lost.
    pub(super) fn is_disturbed(&self) -> bool {
        self.sacked > 0 || self.lost > 0
    }

    pub(super) fn has_lost(&self) -> bool {
        self.lost > 0
    }

    /// Bytes that are lost.
    pub(super) fn lost(&self) -> u32 {
        self.lost
    }

    /// Returns whether the byte at `start` is lost.
    pub(super) fn is_lost(&self, start: Sequence) -> bool {
        let index = self.records.partition_point(|record| record.end <= start);
        let record = self.records.get(index);
        record.is_some_and(|record| record.mark == Mark::Lost)
    }

    /// Notes a range that was sent for the first time, behind everything else.
    pub(super) fn push(&mut self, start: Sequence, end: Sequence, now: Instant) {
        self.records.push_back(Record {
            start,
            end,
            xmit_ts: now,
            mark: Mark::InFlight,
            is_retransmitted: false,
        });
    }

    /// The peer has everything before `until`.
    pub(super) fn acknowledge(
        &mut self,
        until: Sequence,
        min_rtt: Duration,
        now: Instant,
    ) -> AckSummary {
        let mut summary = AckSummary::default();
        while let Some(first) = self.records.front_mut() {
            if first.start >= until {
                break;
            }
            let mut taken = *first;
            taken.end = taken.end.min(until);
            if taken.end == first.end {
                self.records.pop_front();
            } else {
                first.start = until;
            }
            match taken.mark {
                Mark::Sacked => self.sacked -= taken.len(),
                Mark::Lost => self.lost -= taken.len(),
                Mark::InFlight => {}
            }
            if taken.mark != Mark::Sacked {
                self.deliver(&taken, min_rtt, now, &mut summary);
            }
        }
        self.give_back();
        summary
    }

    /// Gives memory back after a large flight.
    fn give_back(&mut self) {
        if self.records.is_empty() && self.records.capacity() > 16 {
            self.records = VecDeque::new();
        }
    }

    /// The peer has a range behind a gap. Segments of `mss` bytes are not torn apart. Sacked ranges
    /// become one record where nothing lies between.
    pub(super) fn sack(
        &mut self,
        (start, end): Range,
        mss: u32,
        min_rtt: Duration,
        now: Instant,
        summary: &mut AckSummary,
    ) {
        let mut index = self.records.partition_point(|record| record.end <= start);
        let first = index.saturating_sub(1);
        while let Some(record) = self.records.get(index).copied() {
            if record.start >= end {
                break;
            }
            if record.mark == Mark::Sacked {
                index += 1;
                continue;
            }
            // Inwards to whole segments.
            let from = start.since(record.start).next_multiple_of(mss);
            let until = if end >= record.end {
                record.len()
            } else {
                end.since(record.start) / mss * mss
            };
            let is_whole = from == 0 && until == record.len();
            if from >= until || (!is_whole && self.records.len() >= MAX_SPLIT_RECORDS) {
                index += 1;
                continue;
            }
            if from > 0 {
                self.split(index, from);
                index += 1;
            }
            if until < record.len() {
                self.split(index, until - from);
            }
            let taken = self.records[index];
            if taken.mark == Mark::Lost {
                self.lost -= taken.len();
            }
            self.sacked += taken.len();
            self.records[index].mark = Mark::Sacked;
            self.deliver(&taken, min_rtt, now, summary);
            index += 1;
        }
        self.join_sacked(first, index + 1);
    }

    /// Makes one record of those next to each other that the peer has, from one place to
    /// another.
    fn join_sacked(&mut self, first: usize, end: usize) {
        let end = end.min(self.records.len());
        let mut last = first;
        for index in first + 1..end {
            let record = self.records[index];
            let before = &mut self.records[last];
            if before.mark == Mark::Sacked && record.mark == Mark::Sacked {
                before.end = record.end;
                // In case that the peer forgets it all.
                before.xmit_ts = before.xmit_ts.max(record.xmit_ts);
                before.is_retransmitted |= record.is_retransmitted;
            } else {
                last += 1;
                self.records[last] = record;
            }
        }
        if last + 1 < end {
            self.records.drain(last + 1..end);
        }
    }

    /// Makes two records of one, the first with `length` bytes.
    fn split(&mut self, index: usize, length: u32) {
        let mut second = self.records[index];
        second.start = second.start + length;
        self.records[index].end = second.start;
        self.records.insert(index + 1, second);
    }

    /// Takes note of a segment that the peer has (RFC 8985, section 6.2).
    fn deliver(
        &mut self,
        record: &Record,
        min_rtt: Duration,
        now: Instant,
        summary: &mut AckSummary,
    ) {
        summary.delivered += record.len();
        let rtt = now - record.xmit_ts;
        self.rack
            .note_delivered(record.end, record.is_retransmitted);
        // A retransmission that is answered at once: that was the answer to the first one.
        if record.is_retransmitted && rtt < min_rtt {
            return;
        }
        if !record.is_retransmitted {
            summary.rtt_sample = Some(rtt);
        }
        self.rack.update(record.transmission(), rtt);
    }

    /// RACK_detect_loss of RFC 8985: marks as lost each segment that was sent so long before one
    /// that was delivered that it cannot merely be late. `reo_wnd` is how late segments may be on a
    /// path where they overtake each other. Returns whether anything new is lost, and when to look
    /// again.
    pub(super) fn detect_loss(
        &mut self,
        mss: u32,
        reo_wnd: Duration,
        now: Instant,
    ) -> (bool, Option<Instant>) {
        let Some(latest) = self.rack.latest() else {
            return (false, None);
        };
        let is_certain = !self.rack.reordering_seen && self.sacked >= DUP_THRESH * mss;
        let reo_wnd = if is_certain { Duration::ZERO } else { reo_wnd };
        let (mut found, mut again) = (false, None::<Instant>);
        for record in &mut self.records {
            if record.mark != Mark::InFlight || !is_sent_after(latest, record.transmission()) {
                continue;
            }
            let due = self.rack.lost_from(record.xmit_ts, reo_wnd);
            if due <= now {
                record.mark = Mark::Lost;
                self.lost += record.len();
                found = true;
            } else {
                again = Some(again.map_or(due, |again| again.min(due)));
            }
        }
        (found, again)
    }

    /// Marks the first segment as lost, after duplicate ACKs. Returns whether it was
    /// not before.
    pub(super) fn lose_first(&mut self, mss: u32) -> bool {
        match self.records.front() {
            Some(first) if first.mark == Mark::InFlight => {
                if first.len() > mss {
                    self.split(0, mss);
                }
                let first = &mut self.records[0];
                first.mark = Mark::Lost;
                self.lost += first.len();
                true
            }
            _ => false,
        }
    }

    /// Marks everything as lost that is not sacked, after a retransmission timeout.
    pub(super) fn lose_all(&mut self) {
        // A peer that does not acknowledge the first segment has reneged (RFC 2018, section 8).
        let forgotten = self
            .records
            .front()
            .is_some_and(|first| first.mark == Mark::Sacked);
        for record in &mut self.records {
            if record.mark == Mark::Sacked && forgotten {
                self.sacked -= record.len();
                record.mark = Mark::InFlight;
            }
            if record.mark == Mark::InFlight {
                record.mark = Mark::Lost;
                self.lost += record.len();
            }
        }
    }

    /// The first range that is lost, at most `length` bytes of it.
    pub(super) fn first_lost(&self, length: u32) -> Option<Range> {
        let mut records = self.records.iter();
        let record = records.find(|record| record.mark == Mark::Lost)?;
        Some((record.start, record.end.min(record.start + length)))
    }

    /// The last segment.
    pub(super) fn last(&self, mss: u32) -> Option<Range> {
        let record = self.records.back()?;
        let start = if record.len() > mss {
            record.end - mss
        } else {
            record.start
        };
        Some((start, record.end))
    }

    /// Notes that a range was sent again, which lies within a record.
    pub(super) fn retransmitted(&mut self, (start, end): Range, now: Instant) {
        let mut index = self.records.partition_point(|record| record.end <= start);
        let Some(record) = self.records.get(index).copied() else {
            return;
        };
        if record.start < start {
            self.split(index, start.since(record.start));
            index += 1;
        }
        if end < record.end {
            self.split(index, end.since(start));
        }
        let record = &mut self.records[index];
        if record.mark == Mark::Lost {
            self.lost -= record.len();
            record.mark = Mark::InFlight;
        }
        record.xmit_ts = now;
        record.is_retransmitted = true;
    }
}
