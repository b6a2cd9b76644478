//! What the peer sends.

use super::{Connection, LEAST_PAUSE, Phase, receiver, wake};
use crate::Error;
use crate::handshake::Offer;
use crate::pool::Pool;
use crate::segment::{Flags, Segment};
use crate::sequence::Sequence;
use fata_time::Instant;

impl Connection {
    /// Takes a segment in (RFC 9293, section 3.10.7).
    pub fn receive(&mut self, segment: &Segment<'_>, pool: &mut Pool, now: Instant) {
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
                self.reset = Some((segment.acknowledged, Flags::RST));
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
        // One to an answer that did not fit, of another connection, has no place in this one.
        self.reset = None;
        let offer = Offer::new(segment);
        let size = u32::from(offer.segment.min(self.own_segment));
        self.sender.set_segment(size);
        self.sender.shift = offer.shift.unwrap_or(0);
        self.sender.sack = offer.sack;
        self.receiver = receiver(segment.sequence, offer, self.own_segment, self.settings);
        self.heard = now;
        if acknowledges {
            self.receiver.acknowledge_now();
            // The window of a SYN is not shifted.
            self.establish(segment.sequence, segment.window.into(), now);
        } else {
            // It has to come again, with an acknowledgement now.
            self.sender.lose_syn();
            self.phase = Phase::SynReceived;
        }
    }

    pub(super) fn establish(&mut self, sequence: Sequence, window: u32, now: Instant) {
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
        if acknowledged > self.sender.next() || acknowledged < self.sender.oldest() {
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
}
