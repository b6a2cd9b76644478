use super::flow::{Flow, Kind, Owner};
use super::frame::Tuple;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use fata_task::Deadlines;
use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;
use hashbrown::HashMap;
use slab::Slab;
use smoltcp::time::Instant;

/// All flows: how they are found, and which of them have something to do.
pub(super) struct Table {
    flows: Slab<Flow>,
    by_tuple: HashMap<Tuple, usize, SeedableRandomState>,
    timers: Deadlines<Instant, usize>,
    ready: VecDeque<usize>,
    stalled: Vec<usize>,
    connections: usize,
    udp_sockets: usize,
}

impl Table {
    /// A table with the interface's own flow, and that flow's key. The seed keeps peers from
    /// choosing ports whose connections are hard to find.
    pub(super) fn new(seed: u64) -> (Self, usize) {
        let hash = SeedableRandomState::with_seed(seed, SharedSeed::global_fixed());
        let mut table = Self {
            flows: Slab::new(),
            by_tuple: HashMap::with_hasher(hash),
            timers: Deadlines::default(),
            ready: VecDeque::new(),
            stalled: Vec::new(),
            connections: 0,
            udp_sockets: 0,
        };
        let interface = table.insert(Flow::interface());
        (table, interface)
    }

    pub(super) fn insert(&mut self, flow: Flow) -> usize {
        let key = self.flows.vacant_key();
        match &flow.kind {
            Kind::Tcp(connection) => {
                self.connections += 1;
                self.by_tuple.insert(connection.tuple, key);
            }
            Kind::Udp(_) => self.udp_sockets += 1,
            Kind::Interface => {}
        }
        self.flows.insert(flow)
    }

    /// Removes a flow with everything that points to it.
    pub(super) fn remove(&mut self, key: usize) -> Option<Flow> {
        let flow = self.flows.try_remove(key)?;
        if let Some((_, timer)) = flow.timer {
            self.timers.remove(&timer);
        }
        // The queues must not grow by flows that come and go.
        if flow.ready {
            self.ready.retain(|other| *other != key);
        }
        if flow.stalled {
            self.stalled.retain(|other| *other != key);
        }
        match &flow.kind {
            Kind::Tcp(connection) => {
                self.connections -= 1;
                self.forget_tuple(connection.tuple, key);
            }
            Kind::Udp(_) => self.udp_sockets -= 1,
            Kind::Interface => {}
        }
        self.shrink();
        Some(flow)
    }

    /// Gives memory back after a crowd of flows has left: at each power of two on the way
    /// down, so that the cost stays small.
    fn shrink(&mut self) {
        let flows = self.flows.len();
        if flows.is_power_of_two() && flows <= self.flows.capacity() / 8 {
            self.flows.shrink_to_fit();
            self.by_tuple.shrink_to_fit();
            self.ready.shrink_to_fit();
            self.stalled.shrink_to_fit();
        }
    }

    /// Lets a new connection use the tuple of a flow that is closed.
    pub(super) fn forget_tuple(&mut self, tuple: Tuple, key: usize) {
        if self.by_tuple.get(&tuple) == Some(&key) {
            self.by_tuple.remove(&tuple);
        }
    }

    pub(super) fn find(&self, tuple: &Tuple) -> Option<usize> {
        self.by_tuple.get(tuple).copied()
    }

    pub(super) fn get(&mut self, key: usize) -> Option<&mut Flow> {
        self.flows.get_mut(key)
    }

    /// TCP connections in all.
    pub(super) fn connections(&self) -> usize {
        self.connections
    }

    pub(super) fn udp_sockets(&self) -> usize {
        self.udp_sockets
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Flow> {
        self.flows.iter().map(|(_, flow)| flow)
    }

    /// Queues a flow that may have something to send. Returns whether it was not queued
    /// yet.
    pub(super) fn make_ready(&mut self, key: usize) -> bool {
        let Some(flow) = self.flows.get_mut(key) else {
            return false;
        };
        if core::mem::replace(&mut flow.ready, true) {
            return false;
        }
        self.ready.push_back(key);
        true
    }

    pub(super) fn make_all_ready(&mut self) {
        for (key, flow) in &mut self.flows {
            if !core::mem::replace(&mut flow.ready, true) {
                self.ready.push_back(key);
            }
        }
    }

    pub(super) fn next_ready(&mut self) -> Option<usize> {
        let key = self.ready.pop_front()?;
        self.flows.get_mut(key)?.ready = false;
        Some(key)
    }

    /// Notes a flow that waits for a neighbor's hardware address.
    pub(super) fn stall(&mut self, key: usize) {
        if let Some(flow) = self.flows.get_mut(key)
            && !core::mem::replace(&mut flow.stalled, true)
        {
            self.stalled.push(key);
        }
    }

    /// Queues the flows that wait for a neighbor: one may be known now.
    pub(super) fn make_stalled_ready(&mut self) {
        while let Some(key) = self.stalled.pop() {
            if let Some(flow) = self.flows.get_mut(key) {
                flow.stalled = false;
            }
            self.make_ready(key);
        }
    }

    /// Sees to it that a flow is made ready at `deadline`, or earlier. A timer that is set
    /// for an earlier time stays, as deadlines mostly move away before they are reached.
    pub(super) fn set_timer(&mut self, key: usize, deadline: Instant) {
        let Some(flow) = self.flows.get_mut(key) else {
            return;
        };
        if flow.timer.is_some_and(|(timer, _)| timer <= deadline) {
            return;
        }
        if let Some((_, later)) = flow.timer {
            self.timers.remove(&later);
        }
        flow.timer = Some((deadline, self.timers.insert(deadline, key)));
    }

    /// When the first timer is due.
    pub(super) fn next_timer(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Makes those flows ready whose timer is due.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some(key) = self.timers.expire(now) {
            if let Some(flow) = self.flows.get_mut(key) {
                flow.timer = None;
            }
            self.make_ready(key);
        }
    }

    /// The owner of a connection.
    pub(super) fn owner(&mut self, key: usize) -> Option<Owner> {
        let (_, connection) = self.get(key)?.tcp()?;
        Some(connection.owner)
    }
}
