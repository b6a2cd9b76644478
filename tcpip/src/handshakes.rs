//! Handshakes that are done before there is a place for their connection.
//!
//! Peers whose segments find no place send them again, ever later. If a place went to whoever comes
//! when it is free, newcomers would get it, and who has waited for long would wait on. So they wait in
//! a queue.

use super::table::{HalfOpen, State, Table};
use alloc::collections::VecDeque;

/// Connections of a listener that are half open.
pub(super) const MOST_HALF_OPEN: usize = 1_024;

/// Half-open connections that wait for a place, those that came first in front. Some may be gone.
#[derive(Default)]
pub(super) struct Handshakes(pub(super) VecDeque<usize>);

impl Handshakes {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes room for one more. Returns whether there is any.
    pub(super) fn make_room(&mut self, table: &mut Table) -> bool {
        if self.0.len() >= MOST_HALF_OPEN {
            self.0.retain(|key| queued(table, *key).is_some());
        }
        self.0.len() < MOST_HALF_OPEN && self.0.try_reserve(1).is_ok()
    }
}

/// The half-open connection with this key, with the window that its peer has told, if it waits in
/// the queue.
pub(super) fn queued(table: &mut Table, key: usize) -> Option<(&HalfOpen, u16)> {
    match &table.get(key)?.state {
        State::HalfOpen(half_open) => half_open.window.map(|window| (half_open, window)),
        _ => None,
    }
}
