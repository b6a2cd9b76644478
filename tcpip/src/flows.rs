//! The sockets that are smoltcp's: which of them have something to do.

use super::flow::{Flow, Kind};
use super::schedule::Schedule;
use alloc::vec::Vec;
use fata_time::Instant;
use slab::Slab;

/// The interface's own flow and those of UDP sockets.
pub(super) struct Flows {
    flows: Slab<Flow>,
    schedule: Schedule,
    stalled: Vec<usize>,
    udp_sockets: usize,
}

impl Flows {
    /// The interface's own flow, and its key.
    pub(super) fn new() -> (Self, usize) {
        let mut flows = Self {
            flows: Slab::new(),
            schedule: Schedule::default(),
            stalled: Vec::new(),
            udp_sockets: 0,
        };
        let interface = flows.insert(Flow::interface());
        (flows, interface)
    }

    pub(super) fn insert(&mut self, flow: Flow) -> usize {
        self.udp_sockets += usize::from(matches!(flow.kind, Kind::Udp(_)));
        self.flows.insert(flow)
    }

    /// Removes a flow with everything that points to it.
    pub(super) fn remove(&mut self, key: usize) -> Option<Flow> {
        let flow = self.flows.try_remove(key)?;
        self.schedule.forget(key, &flow.turn);
        if flow.stalled {
            self.stalled.retain(|other| *other != key);
        }
        self.udp_sockets -= usize::from(matches!(flow.kind, Kind::Udp(_)));
        Some(flow)
    }

    /// Removes a flow whose socket is gone, now or once its last datagram has gone out.
    pub(super) fn release(&mut self, key: usize) {
        if let Some(flow) = self.flows.get_mut(key) {
            flow.released = true;
        }
        self.remove_finished(key);
    }

    /// Removes a flow if its socket is gone and nothing is left to be sent.
    pub(super) fn remove_finished(&mut self, key: usize) {
        let flow = self.flows.get_mut(key);
        if flow.is_some_and(|flow| flow.released && flow.outbox().is_none_or(|it| it.is_empty())) {
            self.remove(key);
        }
    }

    pub(super) fn get(&mut self, key: usize) -> Option<&mut Flow> {
        self.flows.get_mut(key)
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
        let flow = self.flows.get_mut(key);
        flow.is_some_and(|flow| self.schedule.make_ready(key, &mut flow.turn))
    }

    pub(super) fn make_all_ready(&mut self) {
        for (key, flow) in &mut self.flows {
            self.schedule.make_ready(key, &mut flow.turn);
        }
    }

    pub(super) fn next_ready(&mut self) -> Option<usize> {
        let key = self.schedule.next_ready()?;
        if let Some(flow) = self.flows.get_mut(key) {
            flow.turn.take();
        }
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

    /// Sees to it that a flow is made ready at `deadline`, or earlier.
    pub(super) fn set_timer(&mut self, key: usize, deadline: Instant) {
        if let Some(flow) = self.flows.get_mut(key) {
            self.schedule.set_timer(key, &mut flow.turn, deadline);
        }
    }

    pub(super) fn next_timer(&self) -> Option<Instant> {
        self.schedule.next_timer()
    }

    /// Makes those flows ready whose timer is due.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some(key) = self.schedule.expire(now) {
            if let Some(flow) = self.flows.get_mut(key) {
                flow.turn.expired();
            }
            self.make_ready(key);
        }
    }
}
