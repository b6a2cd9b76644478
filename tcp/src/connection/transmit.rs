//! What is sent to the peer.

use super::{Connection, Phase};
use crate::handshake::shift_for;
use crate::header::{Header, Options};
use crate::receiver::FIRST_WINDOW;
use crate::segment::Flags;
use crate::sender::{Next, Probe, Transmit};
use crate::sequence::Sequence;
use fata_time::Instant;

impl Connection {
    /// Sends what is to be sent. Returns false if there was no room for all of it.
    pub fn transmit(&mut self, out: &mut impl Transmit, now: Instant) -> bool {
        match self.phase {
            Phase::SynSent => self.transmit_reset(out) && self.transmit_syn(out, now),
            Phase::SynReceived => {
                self.transmit_syn(out, now) && self.transmit_acknowledgement(out, now)
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
        let Some((sequence, flags)) = self.reset else {
            return true;
        };
        let header = self.header(sequence, flags);
        if !out.send(&header, (&[], &[]), 0) {
            return false;
        }
        self.reset = None;
        true
    }

    fn transmit_syn(&mut self, out: &mut impl Transmit, now: Instant) -> bool {
        let is_answer = self.phase == Phase::SynReceived;
        if self.sender.waiting_since().is_some() && !self.sender.is_syn_lost() {
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
        if is_answer {
            self.receiver.acknowledged();
        }
        true
    }

    fn transmit_open(&mut self, out: &mut impl Transmit, now: Instant) -> bool {
        self.sender.restart_after_pause(now);
        let most = out.most(self.sender.segment());
        if let Some(next) = self.sender.plan_longer(now) {
            if !self.send(&next, next.range.1.since(next.range.0), out, now) {
                return false;
            }
            self.sender.sent_longer(&next);
        }
        while let Some(next) = self.sender.plan(most) {
            if !self.send(&next, self.sender.segment(), out, now) {
                return false;
            }
        }
        if !self.transmit_probe(out, now) || !self.transmit_acknowledgement(out, now) {
            return false;
        }
        self.sender.arm(now);
        true
    }

    /// Sends a segment, to be cut into pieces of `size` bytes.
    fn send(&mut self, next: &Next, size: u32, out: &mut impl Transmit, now: Instant) -> bool {
        let mut flags = Flags::ACK;
        if next.last {
            flags = flags.with(Flags::PSH);
        }
        if next.fin {
            flags = flags.with(Flags::FIN);
        }
        let header = self.header(next.range.0, flags);
        if !out.send(&header, self.sender.payload(next), size) {
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
                    Some(next) => self.send(&next, self.sender.segment(), out, now),
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
