//! What is sent next.

use super::{Next, Sender, whole};
use crate::segment::Range;
use fata_time::Instant;

impl Sender {
    /// What may be sent now, at most `most` bytes of it.
    pub(crate) fn plan(&self, most: u32) -> Option<Next> {
        let in_flight = self.in_flight();
        let room = self.congestion.window().saturating_sub(in_flight);
        if self.flight.has_lost() {
            let at_least_one = in_flight == 0 || self.urgent;
            let allowed = room.max(if at_least_one { self.segment } else { 0 });
            let length = whole(allowed.min(most), self.segment)?;
            let range = self.flight.first_lost(length)?;
            return Some(self.next_of(range, true));
        }
        self.plan_new(most, room, in_flight)
    }

    /// Bytes that are under way. Without SACK each duplicate acknowledgement tells that a
    /// segment has left the network.
    pub(super) fn in_flight(&self) -> u32 {
        let arrived = u32::from(self.duplicates) * self.segment;
        self.flight.bytes().saturating_sub(arrived)
    }

    pub(super) fn plan_new(&self, most: u32, room: u32, in_flight: u32) -> Option<Next> {
        if self.fin_sent {
            return None;
        }
        let queued = self.end().since(self.next);
        let fin = self.closed && !self.fin_sent;
        if (queued == 0 && !fin) || self.flight.is_full() {
            return None;
        }
        let window = self.edge.since(self.next);
        let length = queued.min(window).min(room).min(most);
        if length == queued {
            let fin = fin && window > length;
            return (length > 0 || fin).then_some(Next {
                range: (self.next, self.next + length + u32::from(fin)),
                again: false,
                fin,
                last: true,
            });
        }
        // Only whole segments before the end, unless nothing else would make the window
        // open (RFC 9293, section 3.8.6.2.1).
        let length = match whole(length, self.segment) {
            Some(length) => length,
            None if in_flight == 0 && length > 0 => length,
            None if length >= self.widest / 2 && length > 0 && length == window => length,
            None => return None,
        };
        Some(Next {
            range: (self.next, self.next + length),
            again: false,
            fin: false,
            last: false,
        })
    }

    pub(super) fn next_of(&self, range: Range, again: bool) -> Next {
        let end = self.end();
        Next {
            range,
            again,
            fin: self.fin_sent && range.1 > end,
            last: range.1 >= end,
        }
    }

    /// The payload of what is to be sent.
    pub(crate) fn payload(&self, next: &Next) -> (&[u8], &[u8]) {
        let offset = next.range.0.since(self.base) as usize;
        let length = next.range.1.since(next.range.0) as usize - usize::from(next.fin);
        self.ring.slices(offset, length)
    }

    /// Notes that it was sent.
    pub(crate) fn sent(&mut self, next: &Next, now: Instant) {
        if next.again {
            self.flight.resend(next.range, now);
            self.urgent = false;
            if let Some(undo) = &mut self.undo {
                undo.bytes += next.range.1.since(next.range.0);
            }
        } else {
            if self.flight.is_empty() {
                (self.progress, self.armed) = (now, now);
            }
            self.flight.push(next.range.0, next.range.1, now);
            self.next = next.range.1;
            self.fin_sent |= next.fin;
        }
    }

    /// After a pause the congestion window is not to be trusted.
    pub(crate) fn restart_after_pause(&mut self, now: Instant) {
        if self.flight.is_empty() && now - self.progress > self.round_trip.timeout(0) {
            self.congestion.restart(self.segment);
        }
    }
}
