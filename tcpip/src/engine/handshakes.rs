//! Handshakes that are done get their connection.

use super::Engine;
use crate::handshakes::queued;
use crate::table::State;
use alloc::collections::VecDeque;
use fata_tcp::{Connection, Negotiated};
use fata_time::Instant;

impl Engine {
    /// Has a half-open connection wait for a place, unless it does already.
    pub(crate) fn queue_handshake(&mut self, key: usize, window: u16) {
        if queued(&mut self.table, key).is_some() || !self.handshakes.make_room(&mut self.table) {
            return;
        }
        if let Some(entry) = self.table.get(key)
            && let State::HalfOpen(half_open) = &mut entry.state
        {
            half_open.window = Some(window);
            self.handshakes.0.push_back(key);
        }
    }

    /// Gives places that are free to those who have waited longest.
    pub(crate) fn establish_queued(&mut self, now: Instant) {
        while let Some(key) = self.handshakes.0.front().copied() {
            if let Some((half_open, window)) = queued(&mut self.table, key) {
                let (listener, hardware) = (half_open.listener, half_open.hardware);
                // How long the peer took to answer is not known any more.
                let negotiated = Negotiated {
                    rtt: None,
                    ..half_open.syn_received.negotiated(now)
                };
                if !self.can_wait(listener) {
                    return;
                }
                let Some(entry) = self.table.get(key) else {
                    return;
                };
                let tuple = entry.tuple;
                let own = self.segment_size(tuple.local().addr);
                let connection = Connection::accepted(negotiated, own, window, self.settings, now);
                self.establish(listener, connection, (tuple, hardware), Some(key));
            }
            self.handshakes.0.pop_front();
        }
        if self.handshakes.0.capacity() > 0 {
            // A crowd may be over.
            self.handshakes.0 = VecDeque::new();
        }
    }
}
