//! The choice of the segment that is sent next (RFC 9293, section 3.7).

use super::{Outgoing, Sender, whole_segments};
use crate::segment::Range;
use fata_time::Instant;

impl Sender {
    /// The segment that may be sent now, of at most `most` bytes.
    pub(crate) fn next_segment(&self, most: u32) -> Option<Outgoing> {
        let in_flight = self.in_flight();
        let room = self.cubic.cwnd().saturating_sub(in_flight);
        if self.scoreboard.has_lost() {
            let at_least_one = in_flight == 0 || self.retransmit_now;
            let allowed = room.max(if at_least_one { self.mss } else { 0 });
            let length = whole_segments(allowed.min(most), self.mss)?;
            let range = self.scoreboard.first_lost(length)?;
            return Some(self.outgoing(range, true));
        }
        self.next_new_data(most, room, in_flight)
    }

    /// FlightSize of RFC 5681: bytes that are under way. Without SACK each duplicate ACK tells that
    /// a segment has left the network.
    pub(super) fn in_flight(&self) -> u32 {
        let arrived = u32::from(self.duplicate_acks) * self.mss;
        self.scoreboard.bytes().saturating_sub(arrived)
    }

    /// The segment of new data that the windows let go, if there is one.
    pub(super) fn next_new_data(&self, most: u32, room: u32, in_flight: u32) -> Option<Outgoing> {
        if self.fin_sent {
            return None;
        }
        let queued = self.end().since(self.snd_nxt);
        let fin = self.closed;
        if (queued == 0 && !fin) || self.scoreboard.is_full() {
            return None;
        }
        let window = self.snd_wnd_edge.since(self.snd_nxt);
        let length = queued.min(window).min(room).min(most);
        if length == queued {
            let fin = fin && window > length;
            return (length > 0 || fin).then_some(Outgoing {
                range: (self.snd_nxt, self.snd_nxt + length + u32::from(fin)),
                is_retransmission: false,
                fin,
                push: true,
            });
        }
        // Only whole segments before the end, unless nothing else would make the window
        // open (silly window avoidance: RFC 9293, section 3.8.6.2.1).
        let length = match whole_segments(length, self.mss) {
            Some(length) => length,
            None if in_flight == 0 && length > 0 => length,
            None if length >= self.max_snd_wnd / 2 && length > 0 && length == window => length,
            None => return None,
        };
        Some(Outgoing {
            range: (self.snd_nxt, self.snd_nxt + length),
            is_retransmission: false,
            fin: false,
            push: false,
        })
    }

    pub(super) fn outgoing(&self, range: Range, is_retransmission: bool) -> Outgoing {
        let end = self.end();
        Outgoing {
            range,
            is_retransmission,
            fin: self.fin_sent && range.1 > end,
            push: range.1 >= end,
        }
    }

    /// The payload of a segment that is to be sent.
    pub(crate) fn payload(&self, next: &Outgoing) -> (&[u8], &[u8]) {
        let offset = next.range.0.since(self.ring_start) as usize;
        let length = next.range.1.since(next.range.0) as usize - usize::from(next.fin);
        self.ring.slices(offset, length)
    }

    /// Notes that it was sent.
    pub(crate) fn sent(&mut self, next: &Outgoing, now: Instant) {
        if next.is_retransmission {
            self.scoreboard.retransmitted(next.range, now);
            self.retransmit_now = false;
            if let Some(undo) = &mut self.undo {
                undo.bytes += next.range.1.since(next.range.0);
            }
        } else {
            if self.scoreboard.is_empty() {
                (self.last_progress, self.rto_started) = (now, now);
            }
            self.scoreboard.push(next.range.0, next.range.1, now);
            self.snd_nxt = next.range.1;
            self.fin_sent |= next.fin;
        }
    }

    /// After a pause cwnd is not to be trusted (RFC 5681, section 4.1).
    pub(crate) fn restart_after_pause(&mut self, now: Instant) {
        if self.scoreboard.is_empty() && now - self.last_progress > self.rtt.rto(0) {
            self.cubic.restart_after_idle(self.mss);
        }
    }
}
