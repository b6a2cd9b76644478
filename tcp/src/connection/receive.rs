//! Segments of the peer (RFC 9293, section 3.10.7: SEGMENT ARRIVES).

use super::{CHALLENGE_ACK_INTERVAL, Connection, Stage, receiver, wake};
use crate::Error;
use crate::handshake::PeerOptions;
use crate::pool::Pool;
use crate::segment::{Flags, Segment};
use crate::sequence::Sequence;
use fata_time::Instant;

impl Connection {
    /// Takes a segment in.
    pub fn receive(&mut self, segment: &Segment<'_>, pool: &mut Pool, now: Instant) {
        match self.stage {
            Stage::SynSent => self.receive_in_syn_sent(segment, now),
            Stage::SynReceived | Stage::Synchronized => {
                self.receive_in_other_states(segment, pool, now)
            }
            // The last acknowledgement was lost, it seems (RFC 9293, section 3.10.7.4).
            Stage::TimeWait if !segment.flags.has(Flags::RST) => self.challenge_ack(now),
            Stage::TimeWait | Stage::Closed => {}
        }
    }

    /// Section 3.10.7.3: SYN-SENT.
    fn receive_in_syn_sent(&mut self, segment: &Segment<'_>, now: Instant) {
        let flags = segment.flags;
        let acknowledges = flags.has(Flags::ACK);
        if acknowledges && segment.acknowledgment_number != self.sender.snd_nxt() {
            if !flags.has(Flags::RST) {
                self.reset = Some((segment.acknowledgment_number, Flags::RST));
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
        // A reset to an answer that did not fit, of another connection, has no place in this one.
        self.reset = None;
        let peer = PeerOptions::new(segment);
        let size = u32::from(peer.maximum_segment_size.min(self.own_mss));
        self.sender.set_mss(size);
        self.sender.window_scale = peer.window_scale.unwrap_or(0);
        self.sender.sack_permitted = peer.sack_permitted;
        self.receiver = receiver(segment.sequence_number, peer, self.own_mss, self.settings);
        self.last_received = now;
        if acknowledges {
            self.receiver.ack_now();
            // The window of a SYN is not scaled (RFC 7323, section 2.2).
            self.establish(segment.sequence_number, segment.window.into(), now);
        } else {
            // Simultaneous open (RFC 9293, section 3.5): the SYN has to go again, with an
            // acknowledgement now.
            self.sender.lose_syn();
            self.stage = Stage::SynReceived;
        }
    }

    pub(super) fn establish(&mut self, sequence_number: Sequence, window: u32, now: Instant) {
        self.sender.establish(sequence_number, window, now);
        self.stage = Stage::Synchronized;
        self.wake();
    }

    /// Section 3.10.7.4: the states from SYN-RECEIVED to LAST-ACK.
    fn receive_in_other_states(&mut self, segment: &Segment<'_>, pool: &mut Pool, now: Instant) {
        let flags = segment.flags;
        if !self.receiver.is_acceptable(segment) {
            if !flags.has(Flags::RST) {
                self.receiver.note_dsack(segment);
                self.challenge_ack(now);
            }
            return;
        }
        if flags.has(Flags::RST) {
            return self.receive_reset(segment, now);
        }
        if flags.has(Flags::SYN) {
            // RFC 5961, section 4.
            return self.challenge_ack(now);
        }
        if !flags.has(Flags::ACK) {
            return;
        }
        let acknowledgment_number = segment.acknowledgment_number;
        // SND.UNA - MAX.SND.WND =< SEG.ACK =< SND.NXT (RFC 5961, section 5).
        if acknowledgment_number > self.sender.snd_nxt()
            || acknowledgment_number < self.sender.oldest_acceptable_ack()
        {
            return self.challenge_ack(now);
        }
        self.last_received = now;
        if self.stage == Stage::SynReceived {
            if acknowledgment_number != self.sender.snd_nxt() {
                return;
            }
            let window = u32::from(segment.window) << self.sender.window_scale;
            self.establish(segment.sequence_number, window, now);
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
        // RFC 5961, section 3.
        if segment.sequence_number != self.receiver.rcv_nxt() {
            return self.challenge_ack(now);
        }
        let error = match self.stage {
            Stage::SynReceived => Error::ConnectionRefused,
            _ => Error::ConnectionReset,
        };
        // Both sides were done (CLOSING, LAST-ACK): it does not matter any more.
        let is_done = self.sender.is_fin_sent() && self.has_peer_finished();
        self.end((!is_done).then_some(error));
    }

    /// Answers with a challenge ACK (RFC 5961), which tells the peer where this side is, unless
    /// there was one a moment ago.
    fn challenge_ack(&mut self, now: Instant) {
        self.counts.challenged += 1;
        if self
            .last_challenge_ack
            .is_none_or(|time| now - time >= CHALLENGE_ACK_INTERVAL)
        {
            self.last_challenge_ack = Some(now);
            self.receiver.ack_now();
        }
    }

    fn check_end(&mut self) {
        if self.sender.is_fin_acknowledged() && self.has_peer_finished() {
            self.stage = if self.is_passive_close {
                Stage::Closed
            } else {
                Stage::TimeWait
            };
            self.wake();
        }
    }
}
