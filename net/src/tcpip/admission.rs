//! Which connections may come in.
//!
//! A half-open connection costs its buffers, so their number is small. While all places
//! are taken, further SYNs are kept as they are, so that a burst of many clients is
//! answered one after the other. A half-open connection loses its place when its peer has
//! not answered for a while and another SYN is kept, or, in a flood, when too many are.

use super::connections::Found;
use super::engine::Engine;
use super::flow::Flow;
use super::frame::{self, Kind, Tuple};
use super::phy::Adapter;
use crate::Net;
use smoltcp::time::{Duration, Instant};

/// SYNs that are kept for each place for a half-open connection.
const KEPT_PER_PLACE: usize = 8;
/// The longest frame with a SYN: IPv4 and TCP headers with all the options that fit.
const LONGEST_SYN: usize = 14 + 60 + 60;
/// A half-open connection keeps its place for so long at least.
const PATIENCE: Duration = Duration::from_millis(500);

impl Engine {
    /// Places for half-open connections, and for those that wait to be accepted, of each
    /// listener.
    fn places(&self) -> usize {
        self.config.backlog.max(1)
    }

    /// Makes a half-open connection for a SYN. None if it is kept for later or dropped.
    pub(super) fn admit(
        &mut self,
        tuple: Tuple,
        listener: usize,
        frame: &[u8],
        now: Instant,
    ) -> Option<usize> {
        let places = self.places();
        let backlog = self.listeners.get_mut(listener)?;
        if backlog.waiting.len() >= places {
            self.totals.dropped_syns += 1;
            return None;
        }
        if backlog.half_open.len() < places {
            return self.make_half_open(tuple, listener, now);
        }
        if frame.len() <= LONGEST_SYN {
            backlog.kept.push_back(frame.into());
            self.syns_kept = true;
        }
        None
    }

    fn make_half_open(&mut self, tuple: Tuple, listener: usize, now: Instant) -> Option<usize> {
        if !(self.make_room() || self.evict_half_open(listener)) {
            self.totals.dropped_syns += 1;
            return None;
        }
        let key = self
            .table
            .insert(Flow::accepting(tuple, listener, &self.config)?);
        self.listeners[listener].half_open.push_back((key, now));
        Some(key)
    }

    /// Lets those SYNs in that were kept and for which there is a place now.
    pub(super) fn admit_kept<N: Net>(&mut self, adapter: &mut Adapter<N>, now: Instant) {
        if !core::mem::take(&mut self.syns_kept) {
            return;
        }
        for listener in 0..self.listeners.capacity() {
            while self.has_place_for_kept(listener, now) {
                let kept = self.listeners[listener].kept.pop_front();
                let Some(frame) = kept else {
                    break;
                };
                adapter.offer_kept(frame);
                if let Kind::Tcp { tuple, opens } =
                    frame::classify(adapter.offered(), adapter.is_verified())
                    && let Found::Listener(listener) = self.connection_for(tuple, opens)
                    && let Some(key) = self.make_half_open(tuple, listener, now)
                {
                    self.deliver(adapter, key, now);
                }
                adapter.recycle();
            }
        }
    }

    /// Whether a listener has a SYN in store, and a place for it. If the SYN has to wait,
    /// sees to it that it is not forgotten.
    fn has_place_for_kept(&mut self, listener: usize, now: Instant) -> bool {
        let places = self.places();
        let Some(backlog) = self.listeners.get_mut(listener) else {
            return false;
        };
        if backlog.waiting.len() >= places {
            self.totals.dropped_syns += backlog.kept.drain(..).len() as u64;
        }
        if backlog.kept.is_empty() {
            return false;
        }
        let oldest = backlog.half_open.front().map(|(_, since)| *since);
        let Some(since) = oldest.filter(|_| backlog.half_open.len() >= places) else {
            return true;
        };
        let flooded = backlog.kept.len() > places * KEPT_PER_PLACE;
        if flooded || since + PATIENCE <= now {
            return self.evict_half_open(listener);
        }
        self.syns_kept = true;
        self.table.set_timer(self.interface_flow, since + PATIENCE);
        false
    }

    /// Makes sure that there is room for one more connection. Returns whether there is.
    pub(super) fn make_room(&mut self) -> bool {
        self.table.connections() < self.config.max_connections || self.evict_time_wait()
    }

    /// Forgets the oldest connection in TIME-WAIT. Returns whether there was one.
    pub(super) fn evict_time_wait(&mut self) -> bool {
        let Some(key) = self.time_wait.front().copied() else {
            return false;
        };
        self.remove(key);
        self.totals.evicted_time_wait += 1;
        true
    }

    /// Forgets a listener's oldest half-open connection. Returns whether there was one.
    fn evict_half_open(&mut self, listener: usize) -> bool {
        let oldest = self.listeners[listener].half_open.front().copied();
        let Some((key, _)) = oldest else {
            return false;
        };
        self.remove(key);
        self.totals.evicted_half_open += 1;
        true
    }
}
