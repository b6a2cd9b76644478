//! The sending half of a connection.

mod acknowledge;
mod path;
mod plan;
mod timer;

use crate::congestion::Congestion;
use crate::flight::Flight;
use crate::header::Header;
use crate::pool::Pool;
use crate::ring::Ring;
use crate::round_trip::RoundTrip;
use crate::segment::Range;
use crate::sequence::Sequence;
use alloc::boxed::Box;
use core::time::Duration;
use fata_time::Instant;
use path::Search;

/// Bytes that an application can write ahead, whatever the congestion window.
const LEAST_BUFFER: usize = 16 * 1024;
/// A lone segment's acknowledgement may be delayed by so much (RFC 8985, section 7.2).
const LONGEST_ACK_DELAY: Duration = Duration::from_millis(200);
/// The least time-out of a tail loss probe.
const LEAST_PROBE: Duration = Duration::from_millis(10);
/// Acknowledgements of the same byte that show a loss where the peer has no SACK.
const DUPLICATES: u8 = 3;

/// Where segments go.
pub trait Transmit {
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
    /// The most that the peer ever took at once.
    widest: u32,
    /// How the peer's windows are shifted.
    pub(super) shift: u8,
    /// Bytes of payload in a segment.
    segment: u32,
    /// The search for their size, where routers do not tell it.
    search: Option<Box<Search>>,
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
            search: None,
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

    /// Has the SYN sent again.
    pub(super) fn lose_syn(&mut self) {
        self.flight.lose_all();
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
        self.congestion = Congestion::new(self.segment);
        if self.backoff > 0 {
            // A lost SYN makes cautious, but tells nothing of the path's capacity (RFC 5681,
            // section 3.1).
            self.congestion.timed_out(self.segment, true);
        }
        (self.backoff, self.recovery, self.timer) = (0, None, None);
        (self.progress, self.armed) = (now, now);
        self.undo = None;
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

    pub(super) fn next(&self) -> Sequence {
        self.next
    }

    pub(super) fn unacknowledged(&self) -> Sequence {
        self.unacknowledged
    }

    /// The oldest acknowledgement that may still be on its way.
    pub(super) fn oldest(&self) -> Sequence {
        self.unacknowledged - self.widest
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
