//! One connection: its states, and what both halves have to do with each other.

mod receive;
mod timer;
mod transmit;

use crate::Error;
use crate::tcp::handshake::{Agreement, Offer, shift_for};
use crate::tcp::pool::Pool;
use crate::tcp::receiver::{FIRST_WINDOW, Receiver};
use crate::tcp::ring::Lent;
use crate::tcp::segment::Flags;
use crate::tcp::sender::{Probe, Sender};
use crate::tcp::sequence::Sequence;
use core::task::Waker;
use core::time::Duration;
use fata_time::Instant;

/// Segments out of place are not answered more often than that (RFC 5961, section 7).
const LEAST_PAUSE: Duration = Duration::from_millis(10);
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// What connections have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Bytes that a connection holds at most that were not read yet.
    pub(crate) window: u32,
    /// Bytes that a connection holds at most that were not acknowledged yet.
    pub(crate) buffer: usize,
    /// A silent peer is probed that often.
    pub(crate) keep_alive: Duration,
    /// A connection is given up after so long a silence.
    pub(crate) timeout: Duration,
}

/// How far a connection has come. What is open may be closed on either side: see
/// [`Connection::has_peer_finished`] and [`Connection::is_closed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    SynSent,
    /// Both sides have sent a SYN at the same time.
    SynReceived,
    Open,
    /// Both sides are closed, this one first.
    TimeWait,
    Closed,
}

/// Segments that were sent again, and the like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) sent: u64,
    pub(crate) sent_again: u64,
    pub(crate) out_of_place: u64,
}

/// A connection.
pub(crate) struct Connection {
    phase: Phase,
    sender: Sender,
    receiver: Receiver,
    settings: Settings,
    /// The largest payload that this side takes.
    own_segment: u16,
    /// When the peer was last heard, and last probed for want of that.
    heard: Instant,
    probed: Instant,
    /// When a segment out of place was last answered.
    answered: Option<Instant>,
    probe: Option<Probe>,
    /// The reset that is still to be sent: where it is, and its flags.
    reset: Option<(Sequence, Flags)>,
    /// Whether the peer had finished when this side did.
    closed_second: bool,
    /// Why it ended, if it did not end well.
    error: Option<Error>,
    pub(crate) reader: Option<Waker>,
    pub(crate) writer: Option<Waker>,
    pub(crate) counts: Counts,
}

impl Connection {
    fn new(
        phase: Phase,
        sender: Sender,
        receiver: Receiver,
        settings: Settings,
        own: u16,
        now: Instant,
    ) -> Self {
        Self {
            phase,
            sender,
            receiver,
            settings,
            own_segment: own,
            heard: now,
            probed: now,
            answered: None,
            probe: None,
            reset: None,
            closed_second: false,
            error: None,
            reader: None,
            writer: None,
            counts: Counts::default(),
        }
    }

    /// A connection that a peer has opened. `window` is that of the segment that completes the
    /// handshake, which has to be [received](Self::receive) then, if it is still there; `own` is
    /// the largest payload that this side takes.
    pub(crate) fn accepted(
        agreement: Agreement,
        own: u16,
        window: u16,
        settings: Settings,
        now: Instant,
    ) -> Self {
        let Agreement {
            ours,
            theirs,
            offer,
            trip,
        } = agreement;
        let mut sender = Sender::new(ours, offer.segment.min(own).into(), settings.buffer, now);
        sender.shift = offer.shift.unwrap_or(0);
        sender.sack = offer.sack;
        sender.establish(theirs, u32::from(window) << sender.shift, now);
        if let Some(trip) = trip {
            sender.measure(trip);
        }
        let receiver = receiver(theirs, offer, own, settings);
        Self::new(Phase::Open, sender, receiver, settings, own, now)
    }

    /// A connection that this side opens, with the number of its SYN.
    pub(crate) fn connecting(ours: Sequence, own: u16, settings: Settings, now: Instant) -> Self {
        let sender = Sender::new(ours, own.into(), settings.buffer, now);
        let receiver = receiver(Sequence(0), Offer::plain(own), own, settings);
        Self::new(Phase::SynSent, sender, receiver, settings, own, now)
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether a handshake goes on.
    pub(crate) fn is_opening(&self) -> bool {
        matches!(self.phase, Phase::SynSent | Phase::SynReceived)
    }

    /// Whether data may still come or go.
    pub(crate) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether both sides are closed, or there was a reset: nothing that the peer sends changes
    /// that.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::TimeWait | Phase::Closed)
    }

    /// Whether nothing is left to be done.
    pub(crate) fn is_over(&self) -> bool {
        self.phase == Phase::Closed && self.reset.is_none()
    }

    pub(crate) fn error(&self) -> Option<Error> {
        self.error
    }

    /// Whether all that the peer has sent was received, and it will send no more.
    pub(crate) fn has_peer_finished(&self) -> bool {
        self.receiver.is_finished()
    }

    /// Whether this side was closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// The numbers that follow all that was sent and received.
    pub(crate) fn numbers(&self) -> (Sequence, Sequence) {
        (self.sender.next(), self.receiver.next())
    }

    /// Up to where the peer has acknowledged what was sent, and what follows all that was
    /// received in order.
    pub(crate) fn progress(&self) -> (Sequence, Sequence) {
        (self.sender.unacknowledged(), self.receiver.next())
    }

    // The application's side

    /// Moves bytes to `buffer`. Returns how many, and whether the peer should hear that
    /// there is room again.
    pub(crate) fn read(&mut self, buffer: &mut [u8], pool: &mut Pool) -> (usize, bool) {
        let (count, opened) = self.receiver.read(buffer, pool);
        let tell = opened && self.phase == Phase::Open;
        if tell {
            self.receiver.acknowledge_now();
        }
        (count, tell)
    }

    /// Hands over the memory of what can be read, or of a part of it. Otherwise as
    /// [`read`](Self::read).
    pub(crate) fn lend(&mut self, pool: &mut Pool) -> Option<(Lent, bool)> {
        let (lent, opened) = self.receiver.lend(pool)?;
        let tell = opened && self.phase == Phase::Open;
        if tell {
            self.receiver.acknowledge_now();
        }
        Some((lent, tell))
    }

    /// Whether something can be read.
    pub(crate) fn readable(&self) -> usize {
        self.receiver.readable()
    }

    /// Whether bytes can be written, now or later.
    pub(crate) fn is_writable(&self) -> bool {
        self.phase == Phase::Open && !self.sender.is_closed()
    }

    /// Takes as many bytes as there is room for.
    pub(crate) fn write(&mut self, bytes: &[u8], pool: &mut Pool) -> usize {
        self.sender.write(bytes, pool)
    }

    /// Whether something is under way whose acknowledgement makes room.
    pub(crate) fn has_queued(&self) -> bool {
        self.sender.queued() > 0
    }

    /// Closes this side; what was written before is still sent.
    pub(crate) fn close(&mut self) {
        self.sender.close();
    }

    /// Ends the connection with a reset. One that is still to be sent stays.
    pub(crate) fn abort(&mut self, error: Error) {
        if matches!(self.phase, Phase::Open | Phase::SynReceived) {
            self.reset = Some((self.sender.next(), Flags::RST.with(Flags::ACK)));
        }
        self.end(Some(error));
    }

    /// Gives up the reset that is still to be sent, and all memory.
    pub(crate) fn release(&mut self, pool: &mut Pool) {
        self.sender.release(pool);
        self.receiver.release(pool);
    }

    /// Drops what was received and what still comes, as nobody will read it.
    pub(crate) fn discard(&mut self, pool: &mut Pool) {
        if self.receiver.discard(pool) && self.phase == Phase::Open {
            self.receiver.acknowledge_now();
        }
    }

    /// A link on the path takes segments with so much payload only.
    #[cold]
    pub(crate) fn shorten_segments(&mut self, segment: u32, now: Instant) {
        if self.phase == Phase::Open && segment < self.sender.segment() {
            self.sender.shorten_segments(segment, now);
        }
    }

    /// Bytes of payload in a segment.
    #[cfg(test)]
    pub(crate) fn segment(&self) -> u32 {
        self.sender.segment()
    }

    /// Whether a number is one of something in flight.
    pub(crate) fn is_in_flight(&self, number: Sequence) -> bool {
        number >= self.sender.unacknowledged() && number < self.sender.next()
    }

    /// An error message says that the peer cannot be reached.
    pub(crate) fn note_unreachable(&mut self, error: Error) {
        // An open connection outlives that (RFC 5461).
        if self.phase == Phase::SynSent {
            self.end(Some(error));
        }
    }

    fn end(&mut self, error: Option<Error>) {
        self.phase = Phase::Closed;
        if self.error.is_none() {
            self.error = error;
        }
        self.wake();
    }

    /// Lets the application look again.
    pub(crate) fn wake(&mut self) {
        wake(&mut self.reader);
        wake(&mut self.writer);
    }
}

/// The receiving half of a connection with a peer whose SYN had the number `theirs`.
fn receiver(theirs: Sequence, offer: Offer, own: u16, settings: Settings) -> Receiver {
    let shift = offer.shift.map_or(0, |_| shift_for(settings.window));
    let first = settings.window.min(FIRST_WINDOW);
    Receiver::new(theirs + 1, first, settings.window, shift, own.into())
}

fn wake(task: &mut Option<Waker>) {
    if let Some(waker) = task.take() {
        waker.wake();
    }
}
