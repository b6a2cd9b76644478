//! One connection: its state, and the calls of the application, for both halves.

mod receive;
mod state;
mod timer;
mod transmit;

pub use state::State;

use crate::Error;
use crate::handshake::{Negotiated, PeerOptions, window_scale_for};
use crate::pool::Pool;
use crate::receiver::{INITIAL_RCV_WND, Receiver};
use crate::ring::Lent;
use crate::segment::Flags;
use crate::sender::{Probe, Sender};
use crate::sequence::Sequence;
use core::task::Waker;
use core::time::Duration;
use fata_time::Instant;

/// Challenge ACKs are not sent more often than that (RFC 5961, section 7).
const CHALLENGE_ACK_INTERVAL: Duration = Duration::from_millis(10);
/// The user timeout (RFC 9293, section 3.9.1.1) of a connection that is opened.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Settings that connections have in common.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Bytes that a connection holds at most that were not read yet. RCV.WND is not larger.
    pub receive_buffer: u32,
    /// Bytes that a connection holds at most that were not acknowledged yet.
    pub send_buffer: usize,
    /// A silent peer is probed that often (RFC 9293, section 3.8.4).
    pub keep_alive: Duration,
    /// A connection is given up after so long a silence (RFC 9293, section 3.9.1.1).
    pub user_timeout: Duration,
}

/// The stored part of the [`State`]. The rest of it stands in the sender and the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// SYN-SENT.
    SynSent,
    /// SYN-RECEIVED, after a simultaneous open.
    SynReceived,
    /// From ESTABLISHED until both sides are closed: the FINs tell which state it is.
    Synchronized,
    /// TIME-WAIT.
    TimeWait,
    /// CLOSED.
    Closed,
}

/// Segments by their fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Segments with data or FIN.
    pub sent: u64,
    /// Those of them that were sent before: retransmissions.
    pub retransmitted: u64,
    /// Segments of the peer that were answered with a challenge ACK (RFC 5961), or would have been
    /// but for the limit of their rate.
    pub challenged: u64,
}

/// A connection (RFC 9293, section 3.3.1: its transmission control block).
pub struct Connection {
    stage: Stage,
    sender: Sender,
    receiver: Receiver,
    settings: Settings,
    /// The largest payload that this side takes: the MSS that its SYN announces.
    own_mss: u16,
    /// The time of the last segment of the peer, and of the last keep-alive for want of one.
    last_received: Instant,
    last_keep_alive: Instant,
    /// The time of the last challenge ACK.
    last_challenge_ack: Option<Instant>,
    /// The probe that is to be sent.
    probe: Option<Probe>,
    /// The reset that is still to be sent: its sequence number and its flags.
    reset: Option<(Sequence, Flags)>,
    /// The peer's FIN was received before the own one was sent (RFC 9293, section 3.6: passive
    /// close), so that no TIME-WAIT follows.
    is_passive_close: bool,
    /// The reason why it ended, if it did not end well.
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
        stage: Stage,
        sender: Sender,
        receiver: Receiver,
        settings: Settings,
        own_mss: u16,
        now: Instant,
    ) -> Self {
        Self {
            stage,
            sender,
            receiver,
            settings,
            own_mss,
            last_received: now,
            last_keep_alive: now,
            last_challenge_ack: None,
            probe: None,
            reset: None,
            is_passive_close: false,
            error: None,
            reader: None,
            writer: None,
            counts: Counts::default(),
        }
    }

    /// A connection that a peer has opened (RFC 9293, section 3.9.1.1: passive OPEN). `window` is
    /// that of the segment that completes the handshake, which has to be
    /// [received](Self::receive) then, if it is still there; `own_mss` is the largest payload that
    /// this side takes.
    pub fn accepted(
        negotiated: Negotiated,
        own_mss: u16,
        window: u16,
        settings: Settings,
        now: Instant,
    ) -> Self {
        let Negotiated {
            iss,
            irs,
            peer,
            rtt,
        } = negotiated;
        let mut sender = Sender::new(
            iss,
            peer.maximum_segment_size.min(own_mss).into(),
            settings.send_buffer,
            now,
        );
        sender.window_scale = peer.window_scale.unwrap_or(0);
        sender.sack_permitted = peer.sack_permitted;
        sender.establish(irs, u32::from(window) << sender.window_scale, now);
        if let Some(rtt) = rtt {
            sender.measure(rtt);
        }
        let receiver = receiver(irs, peer, own_mss, settings);
        Self::new(
            Stage::Synchronized,
            sender,
            receiver,
            settings,
            own_mss,
            now,
        )
    }

    /// A connection that this side opens (RFC 9293, section 3.9.1.1: active OPEN), with the number
    /// of its SYN.
    pub fn connecting(iss: Sequence, own_mss: u16, settings: Settings, now: Instant) -> Self {
        let sender = Sender::new(iss, own_mss.into(), settings.send_buffer, now);
        let receiver = receiver(
            Sequence(0),
            PeerOptions::mss_only(own_mss),
            own_mss,
            settings,
        );
        Self::new(Stage::SynSent, sender, receiver, settings, own_mss, now)
    }

    /// Returns whether a handshake goes on: SYN-SENT or SYN-RECEIVED.
    pub fn is_opening(&self) -> bool {
        matches!(self.stage, Stage::SynSent | Stage::SynReceived)
    }

    /// Returns whether data may still come or go: any state from ESTABLISHED to LAST-ACK.
    pub fn is_open(&self) -> bool {
        self.stage == Stage::Synchronized
    }

    /// Returns whether both sides are closed, or there was a reset: TIME-WAIT or CLOSED. No segment
    /// of the peer changes that.
    pub fn has_ended(&self) -> bool {
        matches!(self.stage, Stage::TimeWait | Stage::Closed)
    }

    /// Returns whether nothing is left to be done: CLOSED, and no reset is to be sent.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Closed && self.reset.is_none()
    }

    /// The reason why the connection ended, if it did not end well.
    pub fn error(&self) -> Option<Error> {
        self.error
    }

    /// Returns whether everything up to the peer's FIN was received.
    pub fn has_peer_finished(&self) -> bool {
        self.receiver.is_finished()
    }

    /// Returns whether this side was closed. Its FIN may still have to be sent.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// SND.UNA: the first number that the peer has not acknowledged.
    pub fn snd_una(&self) -> Sequence {
        self.sender.snd_una()
    }

    /// SND.NXT: the number that follows all that was sent.
    pub fn snd_nxt(&self) -> Sequence {
        self.sender.snd_nxt()
    }

    /// SND.WND: the window that the peer takes from SND.UNA on, in bytes.
    pub fn snd_wnd(&self) -> u32 {
        self.sender.snd_wnd()
    }

    /// RCV.NXT: the number that follows all that was received in order.
    pub fn rcv_nxt(&self) -> Sequence {
        self.receiver.rcv_nxt()
    }

    /// RCV.WND: the window that the peer was last told, from RCV.NXT on, in bytes.
    pub fn rcv_wnd(&self) -> u32 {
        self.receiver.rcv_wnd()
    }

    // The application's side

    /// Moves bytes to `buffer`. Returns how many, and whether the peer should hear that
    /// there is room again.
    pub fn read(&mut self, buffer: &mut [u8], pool: &mut Pool) -> (usize, bool) {
        let (count, opened) = self.receiver.read(buffer, pool);
        let tell = opened && self.stage == Stage::Synchronized;
        if tell {
            self.receiver.ack_now();
        }
        (count, tell)
    }

    /// Hands over the memory of what can be read, or of a part of it. Otherwise as
    /// [`read`](Self::read).
    pub fn lend(&mut self, pool: &mut Pool) -> Option<(Lent, bool)> {
        let (lent, opened) = self.receiver.lend(pool)?;
        let tell = opened && self.stage == Stage::Synchronized;
        if tell {
            self.receiver.ack_now();
        }
        Some((lent, tell))
    }

    /// Bytes that can be read.
    pub fn readable(&self) -> usize {
        self.receiver.readable()
    }

    /// Returns whether bytes can be written, now or later.
    pub fn is_writable(&self) -> bool {
        self.stage == Stage::Synchronized && !self.sender.is_closed()
    }

    /// Takes as many bytes as there is room for.
    pub fn write(&mut self, bytes: &[u8], pool: &mut Pool) -> usize {
        self.sender.write(bytes, pool)
    }

    /// Returns whether something is under way whose acknowledgement makes room.
    pub fn has_queued(&self) -> bool {
        self.sender.queued() > 0
    }

    /// Closes this side; all that was written before is still sent (RFC 9293, section 3.9.1.4).
    pub fn close(&mut self) {
        self.sender.close();
    }

    /// Ends the connection with a reset (RFC 9293, section 3.9.1.6). One that is still to be sent
    /// stays.
    pub fn abort(&mut self, error: Error) {
        if matches!(self.stage, Stage::Synchronized | Stage::SynReceived) {
            self.reset = Some((self.sender.snd_nxt(), Flags::RST.with(Flags::ACK)));
        }
        self.end(Some(error));
    }

    /// Gives up all memory of the buffers.
    pub fn release(&mut self, pool: &mut Pool) {
        self.sender.release(pool);
        self.receiver.release(pool);
    }

    /// Drops everything that was received and that still comes, as nobody will read it.
    pub fn discard(&mut self, pool: &mut Pool) {
        if self.receiver.discard(pool) && self.stage == Stage::Synchronized {
            self.receiver.ack_now();
        }
    }

    /// A link on the path takes segments with so much payload only: a router has told its MTU (RFC
    /// 1191, RFC 8201).
    #[cold]
    pub fn reduce_mss(&mut self, mss: u32, now: Instant) {
        if self.stage == Stage::Synchronized && mss < self.sender.mss() {
            self.sender.reduce_mss(mss, now);
        }
    }

    /// Bytes of payload in a segment (RFC 9293, section 3.7.1: Eff.snd.MSS).
    #[cfg(test)]
    pub fn mss(&self) -> u32 {
        self.sender.mss()
    }

    /// Returns whether a number is one of something in flight: SND.UNA =< number < SND.NXT.
    pub fn is_in_flight(&self, number: Sequence) -> bool {
        number >= self.snd_una() && number < self.snd_nxt()
    }

    /// An ICMP error message says that the peer cannot be reached.
    pub fn note_unreachable(&mut self, error: Error) {
        // It is a soft error, which a synchronized connection outlives (RFC 5461).
        if self.stage == Stage::SynSent {
            self.end(Some(error));
        }
    }

    fn end(&mut self, error: Option<Error>) {
        self.stage = Stage::Closed;
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

/// The receiving half of a connection with a peer whose SYN had the number `irs`.
fn receiver(irs: Sequence, peer: PeerOptions, own_mss: u16, settings: Settings) -> Receiver {
    let window_scale = peer
        .window_scale
        .map_or(0, |_| window_scale_for(settings.receive_buffer));
    let first = settings.receive_buffer.min(INITIAL_RCV_WND);
    Receiver::new(
        irs + 1,
        first,
        settings.receive_buffer,
        window_scale,
        own_mss.into(),
    )
}

fn wake(task: &mut Option<Waker>) {
    if let Some(waker) = task.take() {
        waker.wake();
    }
}
