//! What was sent and not acknowledged yet, and which of it is lost (RFC 8985).

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

    /// The peer has a range behind a gap. Segments of `size` bytes are not torn apart.
    pub(super) fn sack(
        &mut self,
        (start, end): Range,
        size: u32,
        least: Duration,
        now: Instant,
        news: &mut News,
    ) {
        let mut index = self.records.partition_point(|record| record.end <= start);
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
            if from >= until {
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

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;

    const SIZE: u32 = 100;
    const LEAST: Duration = Duration::from_millis(10);

    fn at(milliseconds: u64) -> Instant {
        Instant::from_nanos(milliseconds * 1_000_000)
    }

    /// Ten segments, sent so many milliseconds apart.
    fn flight_of(pause: u64) -> Flight {
        let mut flight = Flight::default();
        for number in 0..10 {
            let start = Sequence(number * SIZE);
            flight.push(start, start + SIZE, at(pause * u64::from(number)));
        }
        flight
    }

    fn flight() -> Flight {
        flight_of(1)
    }

    #[test]
    fn acknowledgements_measure_and_clear() {
        let mut flight = flight();
        let news = flight.acknowledge(Sequence(250), LEAST, at(20));
        assert_eq!(
            (news.delivered, news.sample),
            (250, Some(Duration::from_millis(18)))
        );
        assert_eq!(flight.bytes(), 750);
        flight.acknowledge(Sequence(1_000), LEAST, at(30));
        assert!(flight.is_empty() && !flight.is_disturbed());
    }

    #[test]
    fn three_later_segments_show_a_loss_and_its_repair_is_no_measurement() {
        let mut flight = flight();
        let mut news = News::default();
        flight.sack(
            (Sequence(100), Sequence(300)),
            SIZE,
            LEAST,
            at(11),
            &mut news,
        );
        assert_eq!(
            flight.find_lost(SIZE, LEAST / 4, at(11)),
            (false, Some(at(9) + LEAST / 4))
        );
        flight.sack(
            (Sequence(100), Sequence(400)),
            SIZE,
            LEAST,
            at(13),
            &mut news,
        );
        assert_eq!((news.delivered, flight.bytes()), (300, 700));
        assert_eq!(flight.find_lost(SIZE, LEAST / 4, at(13)), (true, None));
        assert_eq!(
            (flight.bytes(), flight.first_lost(SIZE)),
            (600, Some((Sequence(0), Sequence(100))))
        );
        flight.resend((Sequence(0), Sequence(100)), at(14));
        assert_eq!((flight.bytes(), flight.has_lost()), (700, false));
        let news = flight.acknowledge(Sequence(400), LEAST, at(26));
        assert_eq!((news.delivered, news.sample), (100, None));
        assert_eq!(flight.bytes(), 600);
    }

    #[test]
    fn an_overtaken_segment_gets_time() {
        let mut flight = flight_of(0);
        let mut news = News::default();
        flight.sack(
            (Sequence(100), Sequence(200)),
            SIZE,
            LEAST,
            at(11),
            &mut news,
        );
        flight.acknowledge(Sequence(200), LEAST, at(12));
        assert!(flight.reordered);
        flight.sack(
            (Sequence(300), Sequence(600)),
            SIZE,
            LEAST,
            at(15),
            &mut news,
        );
        let (found, again) = flight.find_lost(SIZE, LEAST / 4, at(15));
        assert_eq!((found, again.is_some()), (false, true));
        assert_eq!(flight.find_lost(SIZE, LEAST / 4, at(18)), (true, None));
    }

    #[test]
    fn a_lost_repair_is_found_too() {
        let mut flight = flight();
        let mut news = News::default();
        flight.sack(
            (Sequence(100), Sequence(500)),
            SIZE,
            LEAST,
            at(14),
            &mut news,
        );
        flight.find_lost(SIZE, LEAST / 4, at(14));
        flight.resend((Sequence(0), Sequence(100)), at(15));
        flight.push(Sequence(1_000), Sequence(1_100), at(16));
        flight.sack(
            (Sequence(500), Sequence(1_100)),
            SIZE,
            LEAST,
            at(27),
            &mut news,
        );
        assert_eq!(flight.find_lost(SIZE, LEAST / 4, at(27)), (true, None));
        assert_eq!(flight.first_lost(50), Some((Sequence(0), Sequence(50))));
    }

    proptest! {
        #[test]
        fn the_sums_are_those_of_the_records(
            steps in proptest::collection::vec((0u8..6, 0u32..1_200, 0u32..1_200), 1..60),
        ) {
            let mut flight = flight();
            let (mut next, mut now) = (Sequence(1_000), 10);
            for (step, one, other) in steps {
                now += 3;
                let range = (Sequence(one.min(other)), Sequence(one.max(other)).min(next));
                match step {
                    0 => { flight.acknowledge(range.0, LEAST, at(now)); }
                    1 => flight.sack(range, SIZE, LEAST, at(now), &mut News::default()),
                    2 => { flight.find_lost(SIZE, LEAST / 4, at(now)); }
                    3 => if let Some(lost) = flight.first_lost(one.max(1)) {
                        flight.resend(lost, at(now));
                    },
                    4 => if one < 100 { flight.lose_all() } else { flight.lose_first(SIZE); },
                    _ => {
                        flight.push(next, next + SIZE, at(now));
                        next = next + SIZE;
                    }
                }
                let sum = |mark| flight.records.iter()
                    .filter(|record| record.mark == mark).map(Record::len).sum::<u32>();
                prop_assert_eq!((flight.sacked, flight.lost), (sum(Mark::Sacked), sum(Mark::Lost)));
                prop_assert_eq!(flight.bytes(), sum(Mark::InFlight));
                for (one, other) in flight.records.iter().zip(flight.records.iter().skip(1)) {
                    prop_assert_eq!(one.end, other.start);
                }
                prop_assert!(flight.records.iter().all(|record| record.len() > 0));
            }
        }
    }
}
