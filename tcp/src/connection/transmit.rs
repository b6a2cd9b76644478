//! Segments to the peer.

use super::{Connection, Stage};
use crate::handshake::window_scale_for;
use crate::header::{Header, Options};
use crate::receiver::INITIAL_RCV_WND;
use crate::segment::Flags;
use crate::sender::{Outgoing, Probe, Transmit};
use crate::sequence::Sequence;
use fata_time::Instant;

impl Connection {
    /// Sends all segments that are to be sent. Returns false if there was no room for one.
    pub fn transmit(&mut self, out: &mut impl Transmit, now: Instant) -> bool {
        match self.stage {
            Stage::SynSent => self.transmit_reset(out) && self.transmit_syn(out, now),
            Stage::SynReceived => self.transmit_syn(out, now) && self.transmit_ack(out, now),
            Stage::Synchronized => self.transmit_synchronized(out, now),
            Stage::TimeWait => self.transmit_ack(out, now),
            Stage::Closed => {
                // The last acknowledgement may still be due.
                self.transmit_reset(out) && (self.error.is_some() || self.transmit_ack(out, now))
            }
        }
    }

    fn transmit_reset(&mut self, out: &mut impl Transmit) -> bool {
        let Some((sequence_number, flags)) = self.reset else {
            return true;
        };
        let header = self.header(sequence_number, flags);
        if !out.send(&header, (&[], &[]), 0) {
            return false;
        }
        self.reset = None;
        true
    }

    fn transmit_syn(&mut self, out: &mut impl Transmit, now: Instant) -> bool {
        let is_answer = self.stage == Stage::SynReceived;
        if self.sender.waiting_since().is_some() && !self.sender.is_syn_lost() {
            return true;
        }
        let ack = if is_answer {
            Flags::ACK
        } else {
            Flags::default()
        };
        let header = Header {
            window: self.settings.receive_buffer.min(INITIAL_RCV_WND) as u16,
            options: Options::Syn {
                maximum_segment_size: self.own_mss,
                window_scale: Some(window_scale_for(self.settings.receive_buffer)),
                sack_permitted: true,
            },
            ..self.header(self.sender.snd_una(), Flags::SYN.with(ack))
        };
        if !out.send(&header, (&[], &[]), 0) {
            return false;
        }
        self.sender.sent_syn(now);
        if is_answer {
            self.receiver.ack_sent();
        }
        true
    }

    fn transmit_synchronized(&mut self, out: &mut impl Transmit, now: Instant) -> bool {
        self.sender.restart_after_pause(now);
        let most = out.max_payload(self.sender.mss());
        if let Some(next) = self.sender.next_pmtu_probe(now) {
            if !self.send(&next, next.range.1.since(next.range.0), out, now) {
                return false;
            }
            self.sender.pmtu_probe_sent(&next);
        }
        while let Some(next) = self.sender.next_segment(most) {
            if !self.send(&next, self.sender.mss(), out, now) {
                return false;
            }
        }
        if !self.transmit_probe(out, now) || !self.transmit_ack(out, now) {
            return false;
        }
        self.sender.arm(now);
        true
    }

    /// Sends a segment, to be cut into pieces of `mss` bytes.
    fn send(&mut self, next: &Outgoing, mss: u32, out: &mut impl Transmit, now: Instant) -> bool {
        let mut flags = Flags::ACK;
        if next.push {
            flags = flags.with(Flags::PSH);
        }
        if next.fin {
            flags = flags.with(Flags::FIN);
        }
        let header = self.header(next.range.0, flags);
        if !out.send(&header, self.sender.payload(next), mss) {
            return false;
        }
        self.counts.sent += 1;
        self.counts.retransmitted += u64::from(next.is_retransmission);
        if next.fin && !next.is_retransmission {
            self.is_passive_close = self.has_peer_finished();
        }
        self.sender.sent(next, now);
        self.receiver.ack_piggybacked();
        true
    }

    fn transmit_probe(&mut self, out: &mut impl Transmit, now: Instant) -> bool {
        match self.probe {
            None => true,
            Some(Probe::TailLoss) => {
                let sent = match self.sender.tail_loss_probe() {
                    Some(next) => self.send(&next, self.sender.mss(), out, now),
                    None => true,
                };
                if sent {
                    self.probe = None;
                }
                sent
            }
            Some(Probe::ZeroWindow) => {
                // A number that was acknowledged already has to be answered (RFC 1122,
                // section 4.2.3.6).
                let header = self.header(self.sender.snd_una() - 1, Flags::ACK);
                let sent = out.send(&header, (&[], &[]), 0);
                if sent {
                    self.probe = None;
                }
                sent
            }
        }
    }

    fn transmit_ack(&mut self, out: &mut impl Transmit, now: Instant) -> bool {
        if !self.receiver.must_ack(now) {
            return true;
        }
        let mut header = self.header(self.sender.snd_nxt(), Flags::ACK);
        if self.sender.sack_permitted {
            header.options = self.receiver.sack_options();
        }
        let sent = out.send(&header, (&[], &[]), 0);
        if sent {
            self.receiver.ack_sent();
        }
        sent
    }

    fn header(&mut self, sequence_number: Sequence, flags: Flags) -> Header {
        Header {
            sequence_number,
            acknowledgment_number: self.receiver.rcv_nxt(),
            flags,
            window: self.receiver.window_field(),
            options: Options::None,
        }
    }
}
