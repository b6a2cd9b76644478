//! The sending half of a connection.

mod acknowledge;
mod black_hole;
mod plan;
mod plpmtud;
mod timer;
mod tlp;

use crate::cubic::Cubic;
use crate::header::Header;
use crate::pool::Pool;
use crate::rack::ReorderingWindow;
use crate::ring::Ring;
use crate::rto::RttEstimator;
use crate::scoreboard::Scoreboard;
use crate::segment::Range;
use crate::sequence::Sequence;
use alloc::boxed::Box;
use core::time::Duration;
use fata_time::Instant;
use plpmtud::Plpmtud;

/// Bytes that an application can write ahead, whatever cwnd is.
const MIN_SEND_BUFFER: usize = 16 * 1024;
/// Duplicate ACKs that show a loss where the peer has no SACK (RFC 5681, section 3.2).
const DUPLICATE_ACK_THRESHOLD: u8 = 3;

/// Where segments go.
pub trait Transmit {
    /// The most bytes of payload that one call of [`send`](Self::send) can take if the path takes
    /// `mss`: as many pieces of `mss` bytes as can be cut apart later, or just one.
    fn max_payload(&self, mss: u32) -> u32;

    /// Sends a segment, which is to be cut into pieces of `mss` bytes. Returns whether
    /// there was room for it.
    fn send(&mut self, header: &Header, payload: (&[u8], &[u8]), mss: u32) -> bool;
}

/// The reasons for which the one timer of a sender is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    /// The RTO of RFC 6298: nothing was acknowledged for too long.
    Retransmission,
    /// The PTO of RFC 8985: the last segments may be lost, which no later ones can show.
    TailLossProbe,
    /// RACK's reordering timeout (RFC 8985, section 6.2, step 5): segments that are late are lost
    /// by now.
    Reordering,
    /// The peer's window is closed, and the segment that opens it may be lost: the persist timer
    /// (RFC 9293, section 3.8.6.1).
    Persist,
}

/// The segment that is to be sent next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) range: Range,
    /// It was sent before.
    pub(super) is_retransmission: bool,
    /// The end of this side is part of it.
    pub(super) fin: bool,
    /// Nothing waits behind it (RFC 9293, section 3.9.1.2: PSH).
    pub(super) push: bool,
}

/// The repair of a loss (RFC 5681, section 3.2; RFC 6582; RFC 6675).
#[derive(Clone, Copy, Debug)]
struct Recovery {
    /// SND.NXT when the loss was found. The recovery ends with its acknowledgement (RFC 6675,
    /// section 5).
    recovery_point: Sequence,
    /// It began with a retransmission timeout, and so in slow start.
    after_rto: bool,
}

/// The state before a recovery, and the bytes that were sent again since it began and that the peer
/// has not reported as DSACK (RFC 2883).
#[derive(Clone, Copy, Debug)]
struct Undo {
    cubic: Cubic,
    bytes: u32,
}

/// The bytes that were written and not acknowledged yet. Variables are those of RFC 9293, section
/// 3.3.1.
pub(super) struct Sender {
    ring: Ring,
    /// The sequence number of the ring's first byte.
    ring_start: Sequence,
    /// SND.UNA and SND.NXT: the first number that is not acknowledged, and the first that was not
    /// sent.
    snd_una: Sequence,
    snd_nxt: Sequence,
    /// The right edge of the send window: SND.UNA and SND.WND at the time of the segment that told
    /// it.
    snd_wnd_edge: Sequence,
    /// SND.WL1 and SND.WL2: the sequence number and the acknowledgment number of that segment.
    snd_wl1: Sequence,
    snd_wl2: Sequence,
    /// Max(SND.WND) of RFC 9293, section 3.8.6.2.1: the most that the peer ever took at once.
    max_snd_wnd: u32,
    /// Snd.Wind.Shift of RFC 7323: how the peer's windows are shifted.
    pub(super) window_scale: u8,
    /// Eff.snd.MSS of RFC 9293, section 3.7.1: bytes of payload in a segment.
    mss: u32,
    /// The search for their size, where routers do not tell it (RFC 8899).
    plpmtud: Option<Box<Plpmtud>>,
    /// The peer takes SACK (RFC 2018).
    pub(super) sack_permitted: bool,
    scoreboard: Scoreboard,
    rtt: RttEstimator,
    cubic: Cubic,
    recovery: Option<Recovery>,
    /// The first segment of a recovery is still to be sent, which does not wait for cwnd (fast
    /// retransmit of RFC 5681, section 3.2).
    retransmit_now: bool,
    /// The state to go back to if it turns out that nothing was lost.
    undo: Option<Undo>,
    reordering_window: ReorderingWindow,
    /// Duplicate ACKs in a row, if the peer has no SACK.
    duplicate_acks: u8,
    /// The time when RACK looks again whether late segments are lost.
    reordering_deadline: Option<Instant>,
    /// The last time when the peer acknowledged something, or something was sent after
    /// everything was.
    last_progress: Instant,
    /// The start of the RTO.
    rto_started: Instant,
    /// How often the RTO is doubled (RFC 6298, section 5.5).
    rto_backoff: u8,
    /// A tail loss probe was sent since SND.UNA last advanced.
    is_tlp_sent: bool,
    timer: Option<(Instant, Timer)>,
    /// The application has closed this side, behind the last byte of the ring.
    closed: bool,
    fin_sent: bool,
    /// Bytes to hold at most.
    send_buffer: usize,
}

impl Sender {
    /// `iss` is the number of the SYN, which counts as sent.
    pub(super) fn new(iss: Sequence, mss: u32, send_buffer: usize, now: Instant) -> Self {
        Self {
            ring: Ring::default(),
            ring_start: iss + 1,
            snd_una: iss,
            snd_nxt: iss + 1,
            snd_wnd_edge: iss + 1,
            snd_wl1: Sequence(0),
            snd_wl2: iss,
            max_snd_wnd: 0,
            window_scale: 0,
            mss,
            plpmtud: None,
            sack_permitted: false,
            scoreboard: Scoreboard::default(),
            rtt: RttEstimator::default(),
            cubic: Cubic::new(mss),
            recovery: None,
            retransmit_now: false,
            undo: None,
            reordering_window: ReorderingWindow::new(iss),
            duplicate_acks: 0,
            reordering_deadline: None,
            last_progress: now,
            rto_started: now,
            rto_backoff: 0,
            is_tlp_sent: false,
            timer: None,
            closed: false,
            fin_sent: false,
            send_buffer,
        }
    }

    /// Notes that a SYN is under way, whose acknowledgement is waited for.
    pub(super) fn sent_syn(&mut self, now: Instant) {
        if self.scoreboard.is_empty() {
            self.scoreboard.push(self.snd_una, self.snd_nxt, now);
        } else {
            self.scoreboard
                .retransmitted((self.snd_una, self.snd_nxt), now);
        }
        self.arm(now);
    }

    /// Has the SYN sent again.
    pub(super) fn lose_syn(&mut self) {
        self.scoreboard.lose_all();
    }

    /// Returns whether the SYN has to be sent again.
    pub(super) fn is_syn_lost(&self) -> bool {
        self.scoreboard.has_lost()
    }

    /// The SYN was acknowledged. `window` is SND.WND, `sequence_number` that of the segment that
    /// tells it.
    pub(super) fn establish(&mut self, sequence_number: Sequence, window: u32, now: Instant) {
        let summary = self
            .scoreboard
            .acknowledge(self.ring_start, Duration::ZERO, now);
        if let Some(rtt_sample) = summary.rtt_sample {
            self.rtt.measure(rtt_sample);
        }
        self.cubic = Cubic::new(self.mss);
        if self.rto_backoff > 0 {
            // A lost SYN makes cautious, but tells nothing of the path's capacity (RFC 5681,
            // section 3.1).
            self.cubic.on_rto(self.mss, true);
        }
        (self.rto_backoff, self.recovery, self.timer) = (0, None, None);
        (self.last_progress, self.rto_started) = (now, now);
        self.undo = None;
        self.snd_una = self.ring_start;
        (self.snd_wl1, self.snd_wl2) = (sequence_number, self.ring_start);
        self.snd_wnd_edge = self.ring_start + window;
        self.max_snd_wnd = window;
    }

    pub(super) fn mss(&self) -> u32 {
        self.mss
    }

    /// The path or the peer takes no longer segments than that.
    pub(super) fn set_mss(&mut self, mss: u32) {
        self.mss = mss;
        self.cubic.set_mss(mss);
    }

    /// Takes a round trip in that was measured elsewhere.
    pub(super) fn measure(&mut self, rtt: Duration) {
        self.rtt.measure(rtt);
    }

    pub(super) fn snd_nxt(&self) -> Sequence {
        self.snd_nxt
    }

    pub(super) fn snd_una(&self) -> Sequence {
        self.snd_una
    }

    /// The window that the peer takes, from SND.UNA on.
    pub(super) fn snd_wnd(&self) -> u32 {
        self.snd_wnd_edge.since(self.snd_una)
    }

    /// The congestion window (RFC 5681).
    pub(super) fn cwnd(&self) -> u32 {
        self.cubic.cwnd()
    }

    /// The oldest acknowledgement that may still be on its way (RFC 5961, section 5: SND.UNA -
    /// MAX.SND.WND).
    pub(super) fn oldest_acceptable_ack(&self) -> Sequence {
        self.snd_una - self.max_snd_wnd
    }

    /// Since when the peer owes an answer, if it does.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        (!self.scoreboard.is_empty()).then_some(self.last_progress)
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
        self.fin_sent && self.snd_una == self.snd_nxt
    }

    fn end(&self) -> Sequence {
        self.ring_start + self.ring.len() as u32
    }

    // Writing

    /// The bytes that may be written ahead: twice cwnd, so that it is full while
    /// acknowledged bytes are replaced.
    fn limit(&self) -> usize {
        (self.cubic.cwnd() as usize * 2)
            .max(MIN_SEND_BUFFER)
            .min(self.send_buffer)
    }

    /// Bytes that can be written now.
    pub(super) fn room(&self) -> usize {
        self.limit().saturating_sub(self.ring.len())
    }

    /// Returns whether a writer that waits should go on: not for every few bytes.
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
        self.scoreboard = Scoreboard::default();
        self.timer = None;
        self.ring.release(pool);
    }
}

/// A segment that is sent for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// A tail loss probe (RFC 8985, section 7): a segment at the end of the flight.
    TailLoss,
    /// A zero-window probe or a keep-alive (RFC 1122, section 4.2.3.6): a segment that the peer has
    /// to answer with its window.
    ZeroWindow,
}

/// `length` in whole segments, if it is at least one.
fn whole_segments(length: u32, mss: u32) -> Option<u32> {
    (length >= mss).then(|| length - length % mss)
}
