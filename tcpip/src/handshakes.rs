//! Handshakes that are done before there is a place for their connection.
//!
//! Peers whose segments find no place send them again, ever later. If a place went to whoever comes
//! when it is free, newcomers would get it, and who has waited for long would wait on. So they wait in
//! a queue.

use super::admission::MOST_HALF_OPEN;
use super::engine::Engine;
use super::table::{HalfOpen, State, Table};
use alloc::collections::VecDeque;
use fata_tcp::{Agreement, Connection};
use fata_time::Instant;

/// Half-open connections that wait for a place, those that came first in front. Some may be gone.
#[derive(Default)]
pub(super) struct Handshakes(VecDeque<usize>);

impl Handshakes {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes room for one more. Returns whether there is any.
    fn make_room(&mut self, table: &mut Table) -> bool {
        if self.0.len() >= MOST_HALF_OPEN {
            self.0.retain(|key| queued(table, *key).is_some());
        }
        self.0.len() < MOST_HALF_OPEN && self.0.try_reserve(1).is_ok()
    }
}

/// What waits in the queue, with the window that its peer has told.
fn queued(table: &mut Table, key: usize) -> Option<(&HalfOpen, u16)> {
    match &table.get(key)?.state {
        State::HalfOpen(half_open) => half_open.window.map(|window| (half_open, window)),
        _ => None,
    }
}

impl Engine {
    /// Has a half-open connection wait for a place, unless it does already.
    pub(super) fn queue_handshake(&mut self, key: usize, window: u16) {
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
    pub(super) fn establish_queued(&mut self, now: Instant) {
        while let Some(key) = self.handshakes.0.front().copied() {
            if let Some((half_open, window)) = queued(&mut self.table, key) {
                let (listener, hardware) = (half_open.listener, half_open.hardware);
                // How long the peer took to answer is not known any more.
                let agreement = Agreement {
                    trip: None,
                    ..half_open.embryo.agreement(now)
                };
                if !self.can_wait(listener) {
                    return;
                }
                let Some(entry) = self.table.get(key) else {
                    return;
                };
                let tuple = entry.tuple;
                let own = self.segment_size(tuple.local().addr);
                let connection = Connection::accepted(agreement, own, window, self.settings, now);
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
