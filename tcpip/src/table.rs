//! All connections, whatever has become of them, and how they are found.

use super::error;
use super::frame::Tuple;
use super::schedule::{Schedule, Turn};
use alloc::boxed::Box;
use core::hash::BuildHasher;
use fata_memory::can_grow;
use fata_net::Error;
use fata_tcp::{Connection, Sequence, SynReceived};
use fata_time::Instant;
use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;
use hashbrown::HashTable;
use slab::Slab;
use smoltcp::wire::EthernetAddress;

/// Everything with a pair of addresses and ports.
pub(super) struct Table {
    entries: Slab<Entry>,
    /// Keys of those entries that segments can reach.
    index: HashTable<usize>,
    hash: SeedableRandomState,
    pub(super) schedule: Schedule,
    counts: Counts,
}

/// How many entries there are of each kind.
#[derive(Clone, Copy, Default)]
struct Counts {
    connections: usize,
    half_open: usize,
    time_wait: usize,
}

pub(super) struct Entry {
    pub(super) tuple: Tuple,
    pub(super) turn: Turn,
    pub(super) state: State,
}

/// State that is held of a connection.
pub(super) enum State {
    HalfOpen(HalfOpen),
    Flow(Box<Flow>),
    TimeWait(TimeWait),
}

/// A connection whose handshake the peer has not completed yet, or that waits for a place.
pub(super) struct HalfOpen {
    pub(super) syn_received: SynReceived,
    pub(super) listener: usize,
    /// Where its SYN came from.
    pub(super) hardware: EthernetAddress,
    /// The window that the peer has told when it completed the handshake, before there was a place
    /// for the connection.
    pub(super) window: Option<u16>,
}

/// A connection that is over, as far as its peer has heard of that.
pub(super) struct TimeWait {
    /// The numbers that follow all that was sent and received.
    pub(super) numbers: (Sequence, Sequence),
    pub(super) until: Instant,
}

/// More time for a connection that nobody owns any more, while its peer takes what is left.
pub(super) struct Reprieve {
    /// Up to where the peer had taken it when time was last given.
    pub(super) taken: Sequence,
    /// No more time is given than until then.
    pub(super) until: Instant,
}

/// A connection, and who cares for it.
pub(super) struct Flow {
    pub(super) connection: Connection,
    pub(super) owner: Owner,
    /// How many streams and halves of streams refer to it.
    pub(super) handles: u8,
    /// Since when nobody owns the connection, if it closes in good order.
    pub(super) orphaned: Option<Instant>,
    /// When a connection that nobody owns any more is reset.
    pub(super) abort_at: Option<Instant>,
    /// The reprieve that may move that.
    pub(super) reprieve: Option<Reprieve>,
    /// When a writer that found no memory should look again.
    pub(super) memory_at: Option<Instant>,
    /// Where its segments go: whence the peer was last heard, or where it is looked for. None
    /// until the neighbor is found.
    pub(super) hardware: Option<EthernetAddress>,
    /// True while the peer may be elsewhere by now, as it does not answer.
    pub(super) doubted: bool,
    /// True while it is among those that wait for a neighbor.
    pub(super) stalled: bool,
}

/// Who cares for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The listener with this key, until it is accepted.
    Waiting(usize),
    /// A stream of the application.
    Stream,
    /// Nobody: it closes in the background.
    Nobody,
}

impl Flow {
    pub(super) fn new(
        connection: Connection,
        owner: Owner,
        hardware: Option<EthernetAddress>,
    ) -> Box<Self> {
        Box::new(Self {
            connection,
            owner,
            handles: 1,
            orphaned: None,
            abort_at: None,
            reprieve: None,
            memory_at: None,
            hardware,
            doubted: false,
            stalled: false,
        })
    }

    /// When something has to be done even if nothing happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let others = self.abort_at.into_iter().chain(self.memory_at);
        others.chain(self.connection.deadline()).min()
    }

    /// Why nothing can be read or written any more.
    pub(super) fn failure(&self) -> Error {
        match self.connection.error() {
            Some(error) => error::of_connection(error),
            None if self.connection.is_closed() => Error::Closed,
            None => Error::ConnectionReset,
        }
    }
}

impl Table {
    /// The seed keeps peers from choosing ports whose connections are hard to find. There is room
    /// for so many entries from the start: tables that double need the most memory when there is
    /// the least.
    pub(super) fn new(seed: u64, entries: usize) -> Self {
        Self {
            entries: Slab::with_capacity(entries),
            index: HashTable::with_capacity(entries),
            hash: SeedableRandomState::with_seed(seed, SharedSeed::global_fixed()),
            schedule: Schedule::with_capacity(entries),
            counts: Counts::default(),
        }
    }

    /// Tells whether there is memory for one more entry.
    pub(super) fn can_grow(&mut self) -> bool {
        let count = self.entries.len();
        can_grow::<Entry>(count, self.entries.capacity()) && self.schedule.make_room(count)
    }

    /// Takes something in, which segments to its tuple reach from now on.
    pub(super) fn insert(&mut self, tuple: Tuple, state: State) -> usize {
        self.forget_tuple(&tuple);
        *self.count(&state) += 1;
        let key = self.entries.insert(Entry {
            tuple,
            turn: Turn::default(),
            state,
        });
        let (entries, hash) = (&self.entries, &self.hash);
        self.index.insert_unique(hash.hash_one(tuple), key, |key| {
            hash.hash_one(entries[*key].tuple)
        });
        key
    }

    fn count(&mut self, state: &State) -> &mut usize {
        match state {
            State::HalfOpen(_) => &mut self.counts.half_open,
            State::Flow(_) => &mut self.counts.connections,
            State::TimeWait(_) => &mut self.counts.time_wait,
        }
    }

    /// Removes an entry with everything that points to it.
    pub(super) fn remove(&mut self, key: usize) -> Option<Entry> {
        let entry = self.entries.get(key)?;
        let tuple = entry.tuple;
        if self.find(&tuple) == Some(key) {
            self.forget_tuple(&tuple);
        }
        let entry = self.entries.remove(key);
        self.schedule.forget(key, &entry.turn);
        *self.count(&entry.state) -= 1;
        Some(entry)
    }

    /// Replaces what is held of a connection, which stays reachable.
    pub(super) fn replace(&mut self, key: usize, state: State) {
        *self.count(&state) += 1;
        if let Some(entry) = self.entries.get_mut(key) {
            let old = core::mem::replace(&mut entry.state, state);
            *self.count(&old) -= 1;
        }
    }

    /// Lets a new connection use a tuple.
    pub(super) fn forget_tuple(&mut self, tuple: &Tuple) {
        let (entries, hash) = (&self.entries, self.hash.hash_one(tuple));
        let found = self
            .index
            .find_entry(hash, |key| entries[*key].tuple == *tuple);
        if let Ok(found) = found {
            found.remove();
        }
    }

    pub(super) fn find(&self, tuple: &Tuple) -> Option<usize> {
        let hash = self.hash.hash_one(tuple);
        let found = self
            .index
            .find(hash, |key| self.entries[*key].tuple == *tuple);
        found.copied()
    }

    pub(super) fn get(&mut self, key: usize) -> Option<&mut Entry> {
        self.entries.get_mut(key)
    }

    /// A connection whose handshake is done.
    pub(super) fn flow(&mut self, key: usize) -> Option<&mut Flow> {
        match &mut self.entries.get_mut(key)?.state {
            State::Flow(flow) => Some(flow),
            State::HalfOpen(_) | State::TimeWait(_) => None,
        }
    }

    pub(super) fn connections(&self) -> usize {
        self.counts.connections
    }

    pub(super) fn half_open(&self) -> usize {
        self.counts.half_open
    }

    pub(super) fn time_wait(&self) -> usize {
        self.counts.time_wait
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Entry)> {
        self.entries.iter()
    }

    /// All connections whose handshake is done, each of them queued.
    pub(super) fn wake_all(&mut self) -> impl Iterator<Item = (&Tuple, &mut Flow)> {
        let schedule = &mut self.schedule;
        self.entries.iter_mut().filter_map(|(key, entry)| {
            let State::Flow(flow) = &mut entry.state else {
                return None;
            };
            schedule.make_ready(key, &mut entry.turn);
            Some((&entry.tuple, &mut **flow))
        })
    }

    /// Queues an entry that may have something to send. Returns whether it was not queued
    /// yet.
    pub(super) fn make_ready(&mut self, key: usize) -> bool {
        let entry = self.entries.get_mut(key);
        entry.is_some_and(|entry| self.schedule.make_ready(key, &mut entry.turn))
    }

    pub(super) fn next_ready(&mut self) -> Option<usize> {
        let key = self.schedule.next_ready()?;
        if let Some(entry) = self.entries.get_mut(key) {
            entry.turn.take();
        }
        Some(key)
    }

    pub(super) fn set_timer(&mut self, key: usize, deadline: Instant) {
        if let Some(entry) = self.entries.get_mut(key) {
            self.schedule.set_timer(key, &mut entry.turn, deadline);
        }
    }

    /// The next entry whose timer is due.
    pub(super) fn expire(&mut self, now: Instant) -> Option<usize> {
        let key = self.schedule.expire(now)?;
        if let Some(entry) = self.entries.get_mut(key) {
            entry.turn.expired();
        }
        Some(key)
    }
}
