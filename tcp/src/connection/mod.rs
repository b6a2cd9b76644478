//! One connection: its states, and what both halves have to do with each other.

mod receive;
mod timer;
mod transmit;

use crate::Error;
use crate::handshake::{Agreement, Offer, shift_for};
use crate::pool::Pool;
use crate::receiver::{FIRST_WINDOW, Receiver};
use crate::ring::Lent;
use crate::segment::Flags;
use crate::sender::{Probe, Sender};
use crate::sequence::Sequence;
use core::task::Waker;
use core::time::Duration;
use fata_time::Instant;

/// Segments out of place are not answered more often than that (RFC 5961, section 7).
const LEAST_PAUSE: Duration = Duration::from_millis(10);
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// What connections have in common.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Bytes that a connection holds at most that were not read yet.
    pub window: u32,
    /// Bytes that a connection holds at most that were not acknowledged yet.
    pub buffer: usize,
    /// A silent peer is probed that often.
    pub keep_alive: Duration,
    /// A connection is given up after so long a silence.
    pub timeout: Duration,
}

/// How far a connection has come. What is open may be closed on either side: see
/// [`Connection::has_peer_finished`] and [`Connection::is_closed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// This side has sent a SYN (RFC 9293: SYN-SENT).
    SynSent,
    /// Both sides have sent a SYN at the same time.
    SynReceived,
    /// Data may come and go (ESTABLISHED), or one side is closed.
    Open,
    /// Both sides are closed, this one first.
    TimeWait,
    /// There is no connection any more.
    Closed,
}

/// Segments that were sent again, and the like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Segments with data or FIN.
    pub sent: u64,
    /// Those of them that were sent before.
    pub sent_again: u64,
    /// Segments of the peer that were challenged (RFC 5961).
    pub out_of_place: u64,
}

/// A connection.
pub struct Connection {
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
    /// Woken when something can be read, or never will be again.
    pub reader: Option<Waker>,
    /// Woken when there is room to write, or never will be again.
    pub writer: Option<Waker>,
    /// Counted since the connection began.
    pub counts: Counts,
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
    pub fn accepted(
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
    pub fn connecting(ours: Sequence, own: u16, settings: Settings, now: Instant) -> Self {
        let sender = Sender::new(ours, own.into(), settings.buffer, now);
        let receiver = receiver(Sequence(0), Offer::plain(own), own, settings);
        Self::new(Phase::SynSent, sender, receiver, settings, own, now)
    }

    /// How far the connection has come.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether a handshake goes on.
    pub fn is_opening(&self) -> bool {
        matches!(self.phase, Phase::SynSent | Phase::SynReceived)
    }

    /// Whether data may still come or go.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether both sides are closed, or there was a reset: nothing that the peer sends changes
    /// that.
    pub fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::TimeWait | Phase::Closed)
    }

    /// Whether nothing is left to be done.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Closed && self.reset.is_none()
    }

    /// Why the connection ended, if it did not end well.
    pub fn error(&self) -> Option<Error> {
        self.error
    }

    /// Whether all that the peer has sent was received, and it will send no more.
    pub fn has_peer_finished(&self) -> bool {
        self.receiver.is_finished()
    }

    /// Whether this side was closed.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// The numbers that follow all that was sent and received.
    pub fn numbers(&self) -> (Sequence, Sequence) {
        (self.sender.next(), self.receiver.next())
    }

    /// Up to where the peer has acknowledged what was sent, and what follows all that was
    /// received in order.
    pub fn progress(&self) -> (Sequence, Sequence) {
        (self.sender.unacknowledged(), self.receiver.next())
    }

    // The application's side

    /// Moves bytes to `buffer`. Returns how many, and whether the peer should hear that
    /// there is room again.
    pub fn read(&mut self, buffer: &mut [u8], pool: &mut Pool) -> (usize, bool) {
        let (count, opened) = self.receiver.read(buffer, pool);
        let tell = opened && self.phase == Phase::Open;
        if tell {
            self.receiver.acknowledge_now();
        }
        (count, tell)
    }

    /// Hands over the memory of what can be read, or of a part of it. Otherwise as
    /// [`read`](Self::read).
    pub fn lend(&mut self, pool: &mut Pool) -> Option<(Lent, bool)> {
        let (lent, opened) = self.receiver.lend(pool)?;
        let tell = opened && self.phase == Phase::Open;
        if tell {
            self.receiver.acknowledge_now();
        }
        Some((lent, tell))
    }

    /// Whether something can be read.
    pub fn readable(&self) -> usize {
        self.receiver.readable()
    }

    /// Whether bytes can be written, now or later.
    pub fn is_writable(&self) -> bool {
        self.phase == Phase::Open && !self.sender.is_closed()
    }

    /// Takes as many bytes as there is room for.
    pub fn write(&mut self, bytes: &[u8], pool: &mut Pool) -> usize {
        self.sender.write(bytes, pool)
    }

    /// Whether something is under way whose acknowledgement makes room.
    pub fn has_queued(&self) -> bool {
        self.sender.queued() > 0
    }

    /// Closes this side; what was written before is still sent.
    pub fn close(&mut self) {
        self.sender.close();
    }

    /// Ends the connection with a reset. One that is still to be sent stays.
    pub fn abort(&mut self, error: Error) {
        if matches!(self.phase, Phase::Open | Phase::SynReceived) {
            self.reset = Some((self.sender.next(), Flags::RST.with(Flags::ACK)));
        }
        self.end(Some(error));
    }

    /// Gives up the reset that is still to be sent, and all memory.
    pub fn release(&mut self, pool: &mut Pool) {
        self.sender.release(pool);
        self.receiver.release(pool);
    }

    /// Drops what was received and what still comes, as nobody will read it.
    pub fn discard(&mut self, pool: &mut Pool) {
        if self.receiver.discard(pool) && self.phase == Phase::Open {
            self.receiver.acknowledge_now();
        }
    }

    /// A link on the path takes segments with so much payload only.
    #[cold]
    pub fn shorten_segments(&mut self, segment: u32, now: Instant) {
        if self.phase == Phase::Open && segment < self.sender.segment() {
            self.sender.shorten_segments(segment, now);
        }
    }

    /// Bytes of payload in a segment.
    #[cfg(test)]
    pub fn segment(&self) -> u32 {
        self.sender.segment()
    }

    /// Whether a number is one of something in flight.
    pub fn is_in_flight(&self, number: Sequence) -> bool {
        number >= self.sender.unacknowledged() && number < self.sender.next()
    }

    /// An error message says that the peer cannot be reached.
    pub fn note_unreachable(&mut self, error: Error) {
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
    pub fn wake(&mut self) {
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
