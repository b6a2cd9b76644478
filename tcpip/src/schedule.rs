//! Whose turn it is: what may have something to send, and what is due when.

use alloc::collections::VecDeque;
use core::time::Duration;
use fata_task::{DeadlineKey, Deadlines};
use fata_time::Instant;

/// A timer that is early by no more than that is left where it is.
const PATIENCE: Duration = Duration::from_secs(1);

/// A queue of keys that are ready, and deadlines of others.
#[derive(Default)]
pub(super) struct Schedule {
    ready: VecDeque<usize>,
    timers: Deadlines<Instant, usize>,
}

/// Where the owner of a key is in a [`Schedule`].
#[derive(Clone, Copy, Default)]
pub(super) struct Turn {
    ready: bool,
    timer: Option<(Instant, DeadlineKey)>,
}

impl Schedule {
    /// One with room for so many keys.
    pub(super) fn with_capacity(keys: usize) -> Self {
        Self {
            ready: VecDeque::with_capacity(keys),
            timers: Deadlines::with_capacity(keys),
        }
    }

    /// Sees to it that there is memory for timers of more than so many keys. Returns whether there
    /// is.
    pub(super) fn make_room(&mut self, keys: usize) -> bool {
        self.timers.make_room(keys)
    }

    /// Queues a key. Returns whether it was not queued yet.
    pub(super) fn make_ready(&mut self, key: usize, turn: &mut Turn) -> bool {
        if core::mem::replace(&mut turn.ready, true) {
            return false;
        }
        self.ready.push_back(key);
        true
    }

    /// The next key. Its owner's turn is [taken](Turn::take) by the caller.
    pub(super) fn next_ready(&mut self) -> Option<usize> {
        self.ready.pop_front()
    }

    /// Sees to it that a key is due at `deadline`, or a little earlier: a timer that is set
    /// for an earlier time stays, as deadlines mostly move away before they are reached,
    /// unless it would wake the processor long before that.
    pub(super) fn set_timer(&mut self, key: usize, turn: &mut Turn, deadline: Instant) {
        let stays = |timer| timer <= deadline && deadline <= timer + PATIENCE;
        if turn.timer.is_some_and(|(timer, _)| stays(timer)) {
            return;
        }
        if let Some((_, other)) = turn.timer {
            self.timers.remove(&other);
        }
        turn.timer = Some((deadline, self.timers.insert(deadline, key)));
    }

    /// When the first timer is due.
    pub(super) fn next_timer(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The next key whose timer is due. Its owner [notes](Turn::expired) that.
    pub(super) fn expire(&mut self, now: Instant) -> Option<usize> {
        self.timers.expire(now)
    }

    /// Forgets a key whose owner is gone, so that the queues do not grow by those that
    /// come and go.
    pub(super) fn forget(&mut self, key: usize, turn: &Turn) {
        if let Some((_, timer)) = turn.timer {
            self.timers.remove(&timer);
        }
        if turn.ready {
            self.ready.retain(|other| *other != key);
        }
    }
}

impl Turn {
    /// It is not queued any more.
    pub(super) fn take(&mut self) {
        self.ready = false;
    }

    /// Its timer was due.
    pub(super) fn expired(&mut self) {
        self.timer = None;
    }
}
