//! What was sent and not acknowledged yet, and which of it is lost (RFC 8985).

#[cfg(test)]
mod tests;

use super::segment::Range;
use super::sequence::Sequence;
use alloc::collections::VecDeque;
use core::time::Duration;
use fata_time::Instant;

/// So many segments that came later show that one is lost, unless segments overtake each
/// other on this path.
const LATER_SEGMENTS: u32 = 3;
/// More records than this are not made; see [`Flight::is_full`].
const MOST_RECORDS: usize = 1_024;
/// Of that many, none is torn apart any more for what the peer says to have of it, which is
/// mere advice (RFC 2018, section 8).
const MOST_PARTS: usize = 2 * MOST_RECORDS;

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
    sent: Instant,
    mark: Mark,
    /// Whether it was sent more than once.
    resent: bool,
}

impl Record {
    fn len(&self) -> u32 {
        self.end.since(self.start)
    }
}

/// What an acknowledgement has told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct News {
    /// Bytes of which it is new that the peer has them.
    pub(super) delivered: u32,
    /// A round trip that it measures.
    pub(super) sample: Option<Duration>,
}

/// The segments in flight, in the order of their sequence numbers.
#[derive(Default)]
pub(super) struct Flight {
    records: VecDeque<Record>,
    sacked: u32,
    lost: u32,
    /// When the segment was sent that was delivered of those sent last, and where it ends.
    newest: Option<(Instant, Sequence)>,
    /// How long that segment took.
    trip: Duration,
    /// The end of what the peer has, gaps before it or not.
    reached: Option<Sequence>,
    /// Whether segments were seen to overtake each other.
    reordered: bool,
}

impl Flight {
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether no further record fits, so that small segments have to wait and join.
    pub(super) fn is_full(&self) -> bool {
        self.records.len() >= MOST_RECORDS
    }

    /// Bytes that the peer does not have as far as is known, but that are not lost.
    pub(super) fn bytes(&self) -> u32 {
        match (self.records.front(), self.records.back()) {
            (Some(first), Some(last)) => last.end.since(first.start) - self.sacked - self.lost,
            _ => 0,
        }
    }

    /// Whether anything is out of the ordinary.
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

    /// Whether what begins at `start` is lost.
    pub(super) fn is_lost(&self, start: Sequence) -> bool {
        let index = self.records.partition_point(|record| record.end <= start);
        let record = self.records.get(index);
        record.is_some_and(|record| record.mark == Mark::Lost)
    }

    /// Notes what was sent for the first time, behind everything else.
    pub(super) fn push(&mut self, start: Sequence, end: Sequence, now: Instant) {
        self.records.push_back(Record {
            start,
            end,
            sent: now,
            mark: Mark::InFlight,
            resent: false,
        });
    }

    /// The peer has everything before `until`.
    pub(super) fn acknowledge(&mut self, until: Sequence, least: Duration, now: Instant) -> News {
        let mut news = News::default();
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
                self.deliver(&taken, least, now, &mut news);
            }
        }
        self.give_back();
        news
    }

    /// Gives memory back after a large flight.
    fn give_back(&mut self) {
        if self.records.is_empty() && self.records.capacity() > 16 {
            self.records = VecDeque::new();
        }
    }

    /// The peer has a range behind a gap. Segments of `size` bytes are not torn apart. What
    /// it is known to have becomes one record where nothing lies between.
    pub(super) fn sack(
        &mut self,
        (start, end): Range,
        size: u32,
        least: Duration,
        now: Instant,
        news: &mut News,
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
            let from = start.since(record.start).next_multiple_of(size);
            let until = if end >= record.end {
                record.len()
            } else {
                end.since(record.start) / size * size
            };
            let is_whole = from == 0 && until == record.len();
            if from >= until || (!is_whole && self.records.len() >= MOST_PARTS) {
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
            self.deliver(&taken, least, now, news);
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
                before.sent = before.sent.max(record.sent);
                before.resent |= record.resent;
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

    fn deliver(&mut self, record: &Record, least: Duration, now: Instant, news: &mut News) {
        news.delivered += record.len();
        let trip = now - record.sent;
        match self.reached {
            Some(reached) if record.end <= reached => self.reordered |= !record.resent,
            _ => self.reached = Some(record.end),
        }
        // What was sent twice and answered at once: that was the answer to the first.
        if record.resent && trip < least {
            return;
        }
        if !record.resent {
            news.sample = Some(trip);
        }
        if self
            .newest
            .is_none_or(|newest| is_later((record.sent, record.end), newest))
        {
            self.newest = Some((record.sent, record.end));
            self.trip = trip;
        }
    }

    /// Marks what is lost: sent so long before something that arrived that it cannot merely
    /// be late, which segments may be by `patience` on a path where they overtake each other.
    /// Returns whether anything new is, and when to look again.
    pub(super) fn find_lost(
        &mut self,
        size: u32,
        patience: Duration,
        now: Instant,
    ) -> (bool, Option<Instant>) {
        let Some(newest) = self.newest else {
            return (false, None);
        };
        let patience = if !self.reordered && self.sacked >= LATER_SEGMENTS * size {
            Duration::ZERO
        } else {
            patience
        };
        let (mut found, mut again) = (false, None::<Instant>);
        for record in &mut self.records {
            if record.mark != Mark::InFlight || !is_later(newest, (record.sent, record.end)) {
                continue;
            }
            let due = record.sent + self.trip + patience;
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

    /// Marks the first segment as lost, for want of a better sign. Returns whether it was
    /// not before.
    pub(super) fn lose_first(&mut self, size: u32) -> bool {
        match self.records.front() {
            Some(first) if first.mark == Mark::InFlight => {
                if first.len() > size {
                    self.split(0, size);
                }
                let first = &mut self.records[0];
                first.mark = Mark::Lost;
                self.lost += first.len();
                true
            }
            _ => false,
        }
    }

    /// Marks all as lost that the peer is not known to have.
    pub(super) fn lose_all(&mut self) {
        // A peer that does not want the first segment has forgotten what it had.
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
    pub(super) fn last(&self, size: u32) -> Option<Range> {
        let record = self.records.back()?;
        let start = if record.len() > size {
            record.end - size
        } else {
            record.start
        };
        Some((start, record.end))
    }

    /// Notes that a range was sent again, which lies within a record.
    pub(super) fn resend(&mut self, (start, end): Range, now: Instant) {
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
        record.sent = now;
        record.resent = true;
    }
}

/// Whether a segment was sent after another one; those that end later were, if it was at
/// the same time.
fn is_later(one: (Instant, Sequence), other: (Instant, Sequence)) -> bool {
    one.0 > other.0 || (one.0 == other.0 && one.1 > other.1)
}
