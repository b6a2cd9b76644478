//! One connection: its states, and what both halves have to do with each other.

use super::handshake::{Agreement, Offer, shift_for};
use super::header::{Header, Options};
use super::pool::Pool;
use super::receiver::{FIRST_WINDOW, Receiver};
use super::ring::Lent;
use super::segment::{Flags, Segment};
use super::sender::{Next, Probe, Sender, Transmit};
use super::sequence::Sequence;
use crate::Error;
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
    /// Where the reset is that is still to be sent.
    reset: Option<Sequence>,
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

    /// A connection that a peer has opened. `segment` is the one that completes the handshake,
    /// and has to be [received](Self::receive) then; `own` is the largest payload that this
    /// side takes.
    pub(crate) fn accepted(
        agreement: Agreement,
        own: u16,
        segment: &Segment<'_>,
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
        sender.establish(theirs, u32::from(segment.window) << sender.shift, now);
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

    /// Ends the connection with a reset.
    pub(crate) fn abort(&mut self, error: Error) {
        let has_peer = match self.phase {
            Phase::Open | Phase::SynReceived => true,
            Phase::SynSent | Phase::TimeWait | Phase::Closed => false,
        };
        self.reset = has_peer.then_some(self.sender.next());
        self.end(Some(error));
    }

    /// Gives up the reset that is still to be sent, and all memory.
    pub(crate) fn release(&mut self, pool: &mut Pool) {
        self.sender.release(pool);
        self.receiver.release(pool);
    }

    /// Drops what was received, as nobody will read it.
    pub(crate) fn discard(&mut self, pool: &mut Pool) {
        if self.receiver.discard(pool) && self.phase == Phase::Open {
            self.receiver.acknowledge_now();
        }
    }

    /// A link on the path takes segments with so much payload only.
    pub(crate) fn shorten_segments(&mut self, segment: u32, now: Instant) {
        if self.phase == Phase::Open && segment < self.sender.segment() {
            self.sender.shorten_segments(segment, now);
        }
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

    // The peer's side

    /// Takes a segment in (RFC 9293, section 3.10.7).
    pub(crate) fn receive(&mut self, segment: &Segment<'_>, pool: &mut Pool, now: Instant) {
        match self.phase {
            Phase::SynSent => self.receive_answer(segment, now),
            Phase::SynReceived | Phase::Open => self.receive_open(segment, pool, now),
            // The last acknowledgement was lost, it seems.
            Phase::TimeWait if !segment.flags.has(Flags::RST) => self.answer(now),
            Phase::TimeWait | Phase::Closed => {}
        }
    }

    fn receive_answer(&mut self, segment: &Segment<'_>, now: Instant) {
        let flags = segment.flags;
        let acknowledges = flags.has(Flags::ACK);
        if acknowledges && segment.acknowledged != self.sender.next() {
            if !flags.has(Flags::RST) {
                self.reset = Some(segment.acknowledged);
            }
            return;
        }
        if flags.has(Flags::RST) {
            if acknowledges {
                self.end(Some(Error::ConnectionRefused));
            }
            return;
        }
        if !flags.has(Flags::SYN) {
            return;
        }
        let offer = Offer::new(segment);
        let size = u32::from(offer.segment.min(self.own_segment));
        self.sender.set_segment(size);
        self.sender.shift = offer.shift.unwrap_or(0);
        self.sender.sack = offer.sack;
        self.receiver = receiver(segment.sequence, offer, self.own_segment, self.settings);
        self.heard = now;
        self.receiver.acknowledge_now();
        if acknowledges {
            // The window of a SYN is not shifted.
            self.establish(segment.sequence, segment.window.into(), now);
        } else {
            self.phase = Phase::SynReceived;
        }
    }

    fn establish(&mut self, sequence: Sequence, window: u32, now: Instant) {
        self.sender.establish(sequence, window, now);
        self.phase = Phase::Open;
        self.wake();
    }

    fn receive_open(&mut self, segment: &Segment<'_>, pool: &mut Pool, now: Instant) {
        let flags = segment.flags;
        if !self.receiver.accepts(segment) {
            if !flags.has(Flags::RST) {
                self.receiver.note_duplicate(segment);
                self.answer(now);
            }
            return;
        }
        if flags.has(Flags::RST) {
            return self.receive_reset(segment, now);
        }
        if flags.has(Flags::SYN) {
            return self.answer(now);
        }
        if !flags.has(Flags::ACK) {
            return;
        }
        let acknowledged = segment.acknowledged;
        // Neither of what was not sent, nor of what is long gone (RFC 5961, section 5).
        let oldest = self.sender.unacknowledged() - (1 << 30);
        if acknowledged > self.sender.next() || acknowledged < oldest {
            return self.answer(now);
        }
        self.heard = now;
        if self.phase == Phase::SynReceived {
            if acknowledged != self.sender.next() {
                return;
            }
            let window = u32::from(segment.window) << self.sender.shift;
            self.establish(segment.sequence, window, now);
        }
        let progress = self.sender.acknowledge(segment, pool, now);
        if progress > 0 && self.writer.is_some() && self.sender.has_room() {
            wake(&mut self.writer);
        }
        if self.receiver.receive(segment, pool, now) {
            wake(&mut self.reader);
        }
        self.check_end();
    }

    fn receive_reset(&mut self, segment: &Segment<'_>, now: Instant) {
        if segment.sequence != self.receiver.next() {
            return self.answer(now);
        }
        let error = match self.phase {
            Phase::SynReceived => Error::ConnectionRefused,
            _ => Error::ConnectionReset,
        };
        // Both sides were done: it does not matter any more.
        let is_done = self.sender.is_fin_sent() && self.has_peer_finished();
        self.end((!is_done).then_some(error));
    }

    /// Tells the peer where this side is, unless it was told a moment ago.
    fn answer(&mut self, now: Instant) {
        self.counts.out_of_place += 1;
        if self.answered.is_none_or(|time| now - time >= LEAST_PAUSE) {
            self.answered = Some(now);
            self.receiver.acknowledge_now();
        }
    }

    fn check_end(&mut self) {
        if self.sender.is_fin_acknowledged() && self.has_peer_finished() {
            self.phase = if self.closed_second {
                Phase::Closed
            } else {
                Phase::TimeWait
            };
            self.wake();
        }
    }

    // Time

    /// When something has to be done even if nothing happens.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Closed | Phase::TimeWait => None,
            Phase::SynSent | Phase::SynReceived => {
                let end = self.heard + CONNECT_TIMEOUT;
                Some(self.sender.deadline().map_or(end, |due| due.min(end)))
            }
            Phase::Open => {
                let quiet = self
                    .keep_alive_due()
                    .min(self.heard + self.settings.timeout);
                let due = self
                    .sender
                    .deadline()
                    .into_iter()
                    .chain(self.receiver.deadline());
                Some(due.fold(quiet, Instant::min))
            }
        }
    }

    fn keep_alive_due(&self) -> Instant {
        self.heard.max(self.probed) + self.settings.keep_alive
    }

    /// Does what is due. What there is to send then is sent by [`transmit`](Self::transmit).
    pub(crate) fn expire(&mut self, now: Instant) {
        let timeout = match self.phase {
            Phase::Closed | Phase::TimeWait => return,
            Phase::SynSent | Phase::SynReceived => CONNECT_TIMEOUT,
            Phase::Open => self.settings.timeout,
        };
        if self.heard + timeout <= now {
            return self.abort(Error::TimedOut);
        }
        if let Some(probe) = self.sender.expire(now) {
            self.probe = Some(probe);
        }
        if self.phase == Phase::Open && self.keep_alive_due() <= now {
            self.probed = now;
            if self.sender.waiting_since().is_none() {
                self.probe = Some(Probe::Window);
            }
        }
    }

    // Segments

    /// Sends what is to be sent. Returns false if there was no room for all of it.
    pub(crate) fn transmit(&mut self, out: &mut impl Transmit, now: Instant) -> bool {
        match self.phase {
            Phase::SynSent | Phase::SynReceived => {
                self.transmit_reset(out) && self.transmit_syn(out, now)
            }
            Phase::Open => self.transmit_open(out, now),
            Phase::TimeWait => self.transmit_acknowledgement(out, now),
            Phase::Closed => {
                // The last acknowledgement may still be due.
                self.transmit_reset(out)
                    && (self.error.is_some() || self.transmit_acknowledgement(out, now))
            }
        }
    }

    fn transmit_reset(&mut self, out: &mut impl Transmit) -> bool {
        let Some(sequence) = self.reset else {
            return true;
        };
        let mut header = self.header(sequence, Flags::RST.with(Flags::ACK));
        if self.phase == Phase::SynSent {
            header.flags = Flags::RST;
        }
        if !out.send(&header, (&[], &[]), 0) {
            return false;
        }
        self.reset = None;
        true
    }

    fn transmit_syn(&mut self, out: &mut impl Transmit, now: Instant) -> bool {
        let is_answer = self.phase == Phase::SynReceived;
        let is_due = self.sender.waiting_since().is_none()
            || self.sender.is_syn_lost()
            || (is_answer && self.receiver.must_acknowledge(now));
        if !is_due {
            return true;
        }
        let ack = if is_answer {
            Flags::ACK
        } else {
            Flags::default()
        };
        let header = Header {
            window: self.settings.window.min(FIRST_WINDOW) as u16,
            options: Options::Syn {
                maximum_segment: self.own_segment,
                shift: Some(shift_for(self.settings.window)),
                sack: true,
            },
            ..self.header(self.sender.unacknowledged(), Flags::SYN.with(ack))
        };
        if !out.send(&header, (&[], &[]), 0) {
            return false;
        }
        self.sender.sent_syn(now);
        true
    }

    fn transmit_open(&mut self, out: &mut impl Transmit, now: Instant) -> bool {
        self.sender.restart_after_pause(now);
        let most = out.most(self.sender.segment());
        while let Some(next) = self.sender.plan(most) {
            if !self.send(&next, out, now) {
                return false;
            }
        }
        if !self.transmit_probe(out, now) || !self.transmit_acknowledgement(out, now) {
            return false;
        }
        self.sender.arm(now);
        true
    }

    fn send(&mut self, next: &Next, out: &mut impl Transmit, now: Instant) -> bool {
        let mut flags = Flags::ACK;
        if next.last {
            flags = flags.with(Flags::PSH);
        }
        if next.fin {
            flags = flags.with(Flags::FIN);
        }
        let header = self.header(next.range.0, flags);
        if !out.send(&header, self.sender.payload(next), self.sender.segment()) {
            return false;
        }
        self.counts.sent += 1;
        self.counts.sent_again += u64::from(next.again);
        if next.fin && !next.again {
            self.closed_second = self.has_peer_finished();
        }
        self.sender.sent(next, now);
        self.receiver.announced();
        true
    }

    fn transmit_probe(&mut self, out: &mut impl Transmit, now: Instant) -> bool {
        match self.probe {
            None => true,
            Some(Probe::Tail) => {
                let sent = match self.sender.tail() {
                    Some(next) => self.send(&next, out, now),
                    None => true,
                };
                if sent {
                    self.probe = None;
                }
                sent
            }
            Some(Probe::Window) => {
                // A number that was acknowledged already has to be answered (RFC 1122,
                // section 4.2.3.6).
                let header = self.header(self.sender.unacknowledged() - 1, Flags::ACK);
                let sent = out.send(&header, (&[], &[]), 0);
                if sent {
                    self.probe = None;
                }
                sent
            }
        }
    }

    fn transmit_acknowledgement(&mut self, out: &mut impl Transmit, now: Instant) -> bool {
        if !self.receiver.must_acknowledge(now) {
            return true;
        }
        let mut header = self.header(self.sender.next(), Flags::ACK);
        if self.sender.sack {
            header.options = self.receiver.blocks();
        }
        let sent = out.send(&header, (&[], &[]), 0);
        if sent {
            self.receiver.acknowledged();
        }
        sent
    }

    fn header(&mut self, sequence: Sequence, flags: Flags) -> Header {
        Header {
            sequence,
            acknowledged: self.receiver.next(),
            flags,
            window: self.receiver.window(),
            options: Options::None,
        }
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
