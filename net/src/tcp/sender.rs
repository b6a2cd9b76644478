//! The sending half of a connection.

use super::congestion::Congestion;
use super::flight::{Flight, News};
use super::header::Header;
use super::pool::Pool;
use super::ring::Ring;
use super::round_trip::RoundTrip;
use super::segment::{Range, Segment};
use super::sequence::Sequence;
use core::time::Duration;
use fata_time::Instant;

/// Bytes that an application can write ahead, whatever the congestion window.
const LEAST_BUFFER: usize = 16 * 1024;
/// A lone segment's acknowledgement may be delayed by so much (RFC 8985, section 7.2).
const LONGEST_ACK_DELAY: Duration = Duration::from_millis(200);
/// The least time-out of a tail loss probe.
const LEAST_PROBE: Duration = Duration::from_millis(10);
/// Acknowledgements of the same byte that show a loss where the peer has no SACK.
const DUPLICATES: u8 = 3;

/// Where segments go.
pub(crate) trait Transmit {
    /// The most bytes of payload that one segment can have if the path takes `size`: as
    /// many pieces of `size` bytes as can be cut apart later, or just one.
    fn most(&self, size: u32) -> u32;

    /// Sends a segment, which is to be cut into pieces of `size` bytes. Returns whether
    /// there was room for it.
    fn send(&mut self, header: &Header, payload: (&[u8], &[u8]), size: u32) -> bool;
}

/// What the retransmission timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    /// Nothing was acknowledged for too long.
    Timeout,
    /// The last segments may be lost, which no later ones can show.
    Probe,
    /// Segments that are late are lost by now.
    Late,
    /// The peer's window is closed, and the news that it is open may be lost.
    Window,
}

/// What is to be sent next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) range: Range,
    /// Whether it was sent before.
    pub(super) again: bool,
    /// Whether the end of this side is part of it.
    pub(super) fin: bool,
    /// Whether nothing waits behind it.
    pub(super) last: bool,
}

/// The repair of a loss.
#[derive(Clone, Copy, Debug)]
struct Recovery {
    /// What was sent before the loss was found. It ends with its acknowledgement.
    point: Sequence,
    /// Whether it began with a time-out, and so with a small window that grows.
    slow: bool,
}

/// What a recovery has changed, and how much was sent again since it began.
#[derive(Clone, Copy, Debug)]
struct Undo {
    congestion: Congestion,
    bytes: u32,
}

/// What was written and not acknowledged yet.
pub(super) struct Sender {
    ring: Ring,
    /// The sequence number of the ring's first byte.
    base: Sequence,
    /// The first number that is not acknowledged, and the first that was not sent.
    unacknowledged: Sequence,
    next: Sequence,
    /// The end of what the peer takes, and when it said so (RFC 9293, SND.WL1, SND.WL2).
    edge: Sequence,
    told: Range,
    widest: u32,
    /// How the peer's windows are shifted.
    pub(super) shift: u8,
    /// Bytes of payload in a segment.
    segment: u32,
    pub(super) sack: bool,
    flight: Flight,
    round_trip: RoundTrip,
    congestion: Congestion,
    recovery: Option<Recovery>,
    /// Whether the first segment of a recovery is still to be sent: that does not wait for
    /// the congestion window.
    urgent: bool,
    /// What to go back to if it turns out that nothing was lost.
    undo: Option<Undo>,
    /// How long segments may be late, as a multiple of a quarter of the least round trip; it
    /// grows with segments that were sent again in vain, once a round trip, and holds for so
    /// many recoveries (RFC 8985, section 7.1).
    patience: u32,
    patience_left: u8,
    patience_point: Sequence,
    duplicates: u8,
    /// When segments that are late by now turn out to be lost.
    late: Option<Instant>,
    /// The last time when the peer acknowledged something, or something was sent after
    /// everything was.
    progress: Instant,
    /// From when on the retransmission timer counts.
    armed: Instant,
    backoff: u8,
    probed: bool,
    timer: Option<(Instant, Timer)>,
    /// Where this side ends, once it was closed.
    closed: bool,
    fin_sent: bool,
    /// Bytes to hold at most.
    most: usize,
}

impl Sender {
    /// `initial` is the number of the SYN, which counts as sent.
    pub(super) fn new(initial: Sequence, segment: u32, most: usize, now: Instant) -> Self {
        Self {
            ring: Ring::default(),
            base: initial + 1,
            unacknowledged: initial,
            next: initial + 1,
            edge: initial + 1,
            told: (Sequence(0), initial),
            widest: 0,
            shift: 0,
            segment,
            sack: false,
            flight: Flight::default(),
            round_trip: RoundTrip::default(),
            congestion: Congestion::new(segment),
            recovery: None,
            urgent: false,
            undo: None,
            patience: 1,
            patience_left: 0,
            patience_point: initial,
            duplicates: 0,
            late: None,
            progress: now,
            armed: now,
            backoff: 0,
            probed: false,
            timer: None,
            closed: false,
            fin_sent: false,
            most,
        }
    }

    /// Notes that a SYN is under way, whose acknowledgement is waited for.
    pub(super) fn sent_syn(&mut self, now: Instant) {
        if self.flight.is_empty() {
            self.flight.push(self.unacknowledged, self.next, now);
        } else {
            self.flight.resend((self.unacknowledged, self.next), now);
        }
        self.arm(now);
    }

    /// Whether the SYN has to be sent again.
    pub(super) fn is_syn_lost(&self) -> bool {
        self.flight.has_lost()
    }

    /// The SYN was acknowledged. `window` is what the peer takes, `sequence` that of the
    /// segment that says so.
    pub(super) fn establish(&mut self, sequence: Sequence, window: u32, now: Instant) {
        let news = self.flight.acknowledge(self.base, Duration::ZERO, now);
        if let Some(sample) = news.sample {
            self.round_trip.measure(sample);
        }
        (self.backoff, self.recovery, self.timer) = (0, None, None);
        (self.progress, self.armed) = (now, now);
        self.unacknowledged = self.base;
        self.told = (sequence, self.base);
        self.edge = self.base + window;
        self.widest = window;
    }

    pub(super) fn segment(&self) -> u32 {
        self.segment
    }

    /// The path or the peer takes no longer segments than that.
    pub(super) fn set_segment(&mut self, segment: u32) {
        self.segment = segment;
        self.congestion.set_segment(segment);
    }

    /// Takes a round trip in that was measured elsewhere.
    pub(super) fn measure(&mut self, trip: Duration) {
        self.round_trip.measure(trip);
    }

    /// The path has turned out to take no longer segments than that: what is under way is
    /// sent again. It is no sign of congestion (RFC 8201, section 5.4).
    pub(super) fn shorten_segments(&mut self, segment: u32, now: Instant) {
        self.set_segment(segment);
        self.flight.lose_all();
        self.urgent = true;
        self.arm(now);
    }

    pub(super) fn next(&self) -> Sequence {
        self.next
    }

    pub(super) fn unacknowledged(&self) -> Sequence {
        self.unacknowledged
    }

    /// Since when the peer owes an answer, if it does.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        (!self.flight.is_empty()).then_some(self.progress)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Ends this side once everything is sent.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    pub(super) fn is_fin_sent(&self) -> bool {
        self.fin_sent
    }

    pub(super) fn is_fin_acknowledged(&self) -> bool {
        self.fin_sent && self.unacknowledged == self.next
    }

    fn end(&self) -> Sequence {
        self.base + self.ring.len() as u32
    }

    // Writing

    /// How much may be written ahead: twice the congestion window, so that it is full while
    /// what was acknowledged is replaced.
    fn limit(&self) -> usize {
        (self.congestion.window() as usize * 2)
            .max(LEAST_BUFFER)
            .min(self.most)
    }

    /// Bytes that can be written now.
    pub(super) fn room(&self) -> usize {
        self.limit().saturating_sub(self.ring.len())
    }

    /// Whether a writer that waits should go on: not for every few bytes.
    pub(super) fn has_room(&self) -> bool {
        self.room() >= self.limit() / 4
    }

    /// Takes as many bytes as there is room for. Returns how many.
    pub(super) fn write(&mut self, bytes: &[u8], pool: &mut Pool) -> usize {
        let wanted = bytes.len().min(self.room());
        let fits = self.ring.reserve(self.ring.len() + wanted, pool);
        let count = if fits {
            wanted
        } else {
            let _ = self.ring.reserve(1, pool);
            wanted.min(self.ring.capacity() - self.ring.len())
        };
        if count > 0 {
            self.ring.store(self.ring.len(), &bytes[..count]);
            self.ring.extend(count);
        }
        count
    }

    /// Bytes that wait to be sent or acknowledged.
    pub(super) fn queued(&self) -> usize {
        self.ring.len()
    }

    /// Gives all memory back.
    pub(super) fn release(&mut self, pool: &mut Pool) {
        self.flight = Flight::default();
        self.timer = None;
        self.ring.release(pool);
    }

    // Sending

    /// What may be sent now, at most `most` bytes of it.
    pub(super) fn plan(&self, most: u32) -> Option<Next> {
        let in_flight = self.in_flight();
        let room = self.congestion.window().saturating_sub(in_flight);
        if self.flight.has_lost() {
            let at_least_one = in_flight == 0 || self.urgent;
            let allowed = room.max(if at_least_one { self.segment } else { 0 });
            let length = whole(allowed.min(most), self.segment)?;
            let range = self.flight.first_lost(length)?;
            return Some(self.next_of(range, true));
        }
        self.plan_new(most, room, in_flight)
    }

    /// Bytes that are under way. Without SACK each duplicate acknowledgement tells that a
    /// segment has left the network.
    fn in_flight(&self) -> u32 {
        let arrived = u32::from(self.duplicates) * self.segment;
        self.flight.bytes().saturating_sub(arrived)
    }

    fn plan_new(&self, most: u32, room: u32, in_flight: u32) -> Option<Next> {
        if self.fin_sent {
            return None;
        }
        let queued = self.end().since(self.next);
        let fin = self.closed && !self.fin_sent;
        if (queued == 0 && !fin) || self.flight.is_full() {
            return None;
        }
        let window = self.edge.since(self.next);
        let length = queued.min(window).min(room).min(most);
        if length == queued {
            let fin = fin && window > length;
            return (length > 0 || fin).then_some(Next {
                range: (self.next, self.next + length + u32::from(fin)),
                again: false,
                fin,
                last: true,
            });
        }
        // Only whole segments before the end, unless nothing else would make the window
        // open (RFC 9293, section 3.8.6.2.1).
        let length = match whole(length, self.segment) {
            Some(length) => length,
            None if in_flight == 0 && length > 0 => length,
            None if length >= self.widest / 2 && length > 0 && length == window => length,
            None => return None,
        };
        Some(Next {
            range: (self.next, self.next + length),
            again: false,
            fin: false,
            last: false,
        })
    }

    fn next_of(&self, range: Range, again: bool) -> Next {
        let end = self.end();
        Next {
            range,
            again,
            fin: self.fin_sent && range.1 > end,
            last: range.1 >= end,
        }
    }

    /// The payload of what is to be sent.
    pub(super) fn payload(&self, next: &Next) -> (&[u8], &[u8]) {
        let offset = next.range.0.since(self.base) as usize;
        let length = next.range.1.since(next.range.0) as usize - usize::from(next.fin);
        self.ring.slices(offset, length)
    }

    /// Notes that it was sent.
    pub(super) fn sent(&mut self, next: &Next, now: Instant) {
        if next.again {
            self.flight.resend(next.range, now);
            self.urgent = false;
            if let Some(undo) = &mut self.undo {
                undo.bytes += next.range.1.since(next.range.0);
            }
        } else {
            if self.flight.is_empty() {
                (self.progress, self.armed) = (now, now);
            }
            self.flight.push(next.range.0, next.range.1, now);
            self.next = next.range.1;
            self.fin_sent |= next.fin;
        }
    }

    /// After a pause the congestion window is not to be trusted.
    pub(super) fn restart_after_pause(&mut self, now: Instant) {
        if self.flight.is_empty() && now - self.progress > self.round_trip.timeout(0) {
            self.congestion.restart(self.segment);
        }
    }

    // Acknowledgements

    /// Takes in what a segment says of what was sent. Its acknowledgement must not lie
    /// beyond [`next`](Self::next). Returns the bytes that are newly acknowledged.
    pub(super) fn acknowledge(
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
        let (sequence, acknowledged) = self.told;
        let is_newer = segment.sequence > sequence
            || (segment.sequence == sequence && segment.acknowledged >= acknowledged);
        if is_newer {
            self.told = (segment.sequence, segment.acknowledged);
            self.edge = self.edge_of(segment);
            self.widest = self.widest.max(self.edge.since(segment.acknowledged));
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
        } else if self.duplicates == DUPLICATES || (self.recovery.is_some() && progress > 0) {
            // In a recovery each advance shows the next hole (RFC 6582).
            lost = self.flight.lose_first(self.segment);
        }
        if lost {
            self.begin_recovery();
        }
        let is_limited = before >= self.congestion.window() / 2;
        let may_grow = self.recovery.is_none_or(|recovery| recovery.slow);
        if news.delivered > 0 && is_limited && may_grow && !lost {
            let trip = self.round_trip.smoothed().unwrap_or_default();
            self.congestion
                .acknowledged(news.delivered, self.segment, trip, now);
        }
    }

    /// Looks for losses, where there are signs of one. Returns whether it found any.
    fn find_lost(&mut self, now: Instant) -> bool {
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

    fn prepare_undo(&mut self) {
        self.undo = self.sack.then_some(Undo {
            congestion: self.congestion,
            bytes: 0,
        });
    }

    fn begin_recovery(&mut self) {
        self.urgent = true;
        if self.recovery.is_none() {
            self.prepare_undo();
            self.congestion.lost(self.segment);
            self.recovery = Some(Recovery {
                point: self.next,
                slow: false,
            });
        }
    }

    // Time

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.timer.map(|(due, _)| due)
    }

    /// Sets the timer by what is in flight.
    pub(super) fn arm(&mut self, now: Instant) {
        let timeout = self.armed + self.round_trip.timeout(self.backoff);
        self.timer = if self.flight.is_empty() {
            // Whatever the window is, it keeps something from being sent.
            let waits = self.ring.len() > 0 || (self.closed && !self.fin_sent);
            waits.then_some((timeout, Timer::Window))
        } else if let Some(late) = self.late {
            Some((late, Timer::Late))
        } else {
            let probe = self.probe_time(now).filter(|due| *due < timeout);
            Some(probe.map_or((timeout, Timer::Timeout), |due| (due, Timer::Probe)))
        };
    }

    /// When to probe whether the last segments were lost, if at all.
    fn probe_time(&self, now: Instant) -> Option<Instant> {
        let may_probe = self.sack
            && !self.probed
            && self.backoff == 0
            && self.recovery.is_none()
            && !self.flight.is_disturbed();
        let smoothed = self.round_trip.smoothed().filter(|_| may_probe)?;
        let is_lone = self.flight.bytes() <= self.segment;
        let delay = if is_lone {
            LONGEST_ACK_DELAY
        } else {
            Duration::ZERO
        };
        Some(now.max(self.armed) + (smoothed * 2 + delay).max(LEAST_PROBE))
    }

    /// Acts if the timer is due. Returns what to send by way of probing.
    pub(super) fn expire(&mut self, now: Instant) -> Option<Probe> {
        let (due, timer) = self.timer?;
        if due > now {
            return None;
        }
        self.timer = None;
        match timer {
            Timer::Timeout => {
                self.time_out();
                self.armed = now;
                None
            }
            Timer::Late => {
                if self.find_lost(now) {
                    self.begin_recovery();
                }
                None
            }
            Timer::Probe => {
                self.probed = true;
                self.armed = now;
                Some(Probe::Tail)
            }
            Timer::Window => {
                self.backoff = self.backoff.saturating_add(1);
                self.armed = now;
                Some(Probe::Window)
            }
        }
    }

    fn time_out(&mut self) {
        self.flight.lose_all();
        if self.recovery.is_none() {
            self.prepare_undo();
        }
        self.congestion.timed_out(self.segment, self.backoff > 0);
        self.recovery = Some(Recovery {
            point: self.next,
            slow: true,
        });
        (self.late, self.duplicates) = (None, 0);
        self.backoff = self.backoff.saturating_add(1);
    }

    /// What a tail loss probe sends: something new, or the last segment again.
    pub(super) fn tail(&self) -> Option<Next> {
        self.plan_new(self.segment, self.segment, 0)
            .or_else(|| Some(self.next_of(self.flight.last(self.segment)?, true)))
    }
}

/// What is sent to learn something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// A segment at the end of what is in flight.
    Tail,
    /// A segment that the peer has to answer with its window.
    Window,
}

/// `length` in whole segments, if it is at least one.
fn whole(length: u32, segment: u32) -> Option<u32> {
    (length >= segment).then(|| length - length % segment)
}
