//! Connections that the application is done with and that close in the background. Where there is
//! hardly a place left, the oldest make room for new ones: their peers have had their time.

use super::table::{Owner, Table};
use alloc::collections::VecDeque;
use core::time::Duration;
use fata_time::Instant;

/// How long a connection may close in any case.
const LEAST: Duration = Duration::from_millis(250);

/// Orphans, oldest first. Some may be gone.
#[derive(Default)]
pub(super) struct Orphans {
    queue: VecDeque<(usize, Instant)>,
}

impl Orphans {
    /// Adds one, of which the application lets go now.
    pub(super) fn push(&mut self, key: usize, now: Instant, table: &mut Table, most: usize) {
        // Most have closed by now.
        while let Some((key, since)) = self.queue.front().copied()
            && !is_orphan(table, key, since)
        {
            self.queue.pop_front();
        }
        if self.queue.len() >= 2 * most {
            self.queue
                .retain(|(key, since)| is_orphan(table, *key, *since));
        }
        // Without memory for it, it closes like those of which nobody needs the place.
        if self.queue.try_reserve(1).is_ok() {
            self.queue.push_back((key, now));
        }
    }

    /// Takes the oldest one that has had its time.
    pub(super) fn pop(&mut self, now: Instant, table: &mut Table) -> Option<usize> {
        while let Some((key, since)) = self.queue.front().copied() {
            let is_orphan = is_orphan(table, key, since);
            if is_orphan && now.since(since) < LEAST {
                return None;
            }
            self.queue.pop_front();
            if is_orphan {
                return Some(key);
            }
        }
        None
    }
}

/// Tells whether the connection is the one that was let go then.
fn is_orphan(table: &mut Table, key: usize, since: Instant) -> bool {
    table
        .flow(key)
        .is_some_and(|flow| flow.owner == Owner::Nobody && flow.orphaned == Some(since))
}
