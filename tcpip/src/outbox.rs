//! Datagrams that are to be sent.

use super::route::NEIGHBOR_PAUSE;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use fata_time::Instant;
use smoltcp::storage::{PacketBuffer, PacketMetadata};
use smoltcp::wire::{IpAddress, IpEndpoint};

/// Datagrams of a socket that are held while their neighbors are asked for.
const MOST_HELD: usize = 64;
/// How many neighbors these may be for.
const MOST_NEIGHBORS: usize = 16;
/// Datagrams wait that long for a neighbor's hardware address, then they are dropped.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// Where a datagram comes from and goes to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) local: IpEndpoint,
    pub(super) remote: IpEndpoint,
}

/// A datagram whose neighbor is asked for.
pub(super) struct Held {
    pub(super) ends: Ends,
    /// The neighbor that is asked for.
    pub(super) hop: IpAddress,
    pub(super) payload: Box<[u8]>,
    /// When it is dropped.
    pub(super) until: Instant,
}

/// Datagrams that a UDP socket has to send.
pub(super) struct Outbox {
    queue: PacketBuffer<'static, Ends>,
    /// The oldest first.
    held: VecDeque<Held>,
    /// The neighbors of those.
    neighbors: Vec<IpAddress>,
    /// When to ask for them again.
    ask_at: Instant,
    /// Those who wait for room.
    writers: Vec<Waker>,
}

impl Outbox {
    /// An outbox for `count` datagrams of `bytes` bytes in all.
    pub(super) fn new(count: usize, bytes: usize) -> Self {
        Self {
            queue: PacketBuffer::new(vec![PacketMetadata::EMPTY; count], vec![0; bytes]),
            held: VecDeque::new(),
            neighbors: Vec::new(),
            ask_at: Instant::default(),
            writers: Vec::new(),
        }
    }

    /// Tells whether nothing is left to be sent.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.held.is_empty()
    }

    /// Bytes that it takes.
    pub(super) fn capacity(&self) -> usize {
        self.queue.payload_capacity()
    }

    /// Takes a datagram, when there is room.
    pub(super) fn poll_push(
        &mut self,
        context: &mut Context<'_>,
        payload: &[u8],
        ends: Ends,
    ) -> Poll<()> {
        match self.queue.enqueue(payload.len(), ends) {
            Ok(place) => {
                place.copy_from_slice(payload);
                Poll::Ready(())
            }
            Err(_) => {
                let waker = context.waker();
                if !self.writers.iter().any(|known| known.will_wake(waker)) {
                    self.writers.push(waker.clone());
                }
                Poll::Pending
            }
        }
    }

    /// The next datagram.
    pub(super) fn first(&mut self) -> Option<(Ends, &[u8])> {
        let (ends, payload) = self.queue.peek().ok()?;
        Some((*ends, payload))
    }

    /// Drops the next datagram.
    pub(super) fn pop(&mut self) {
        // If there is none, there is nothing to be done.
        let _ = self.queue.dequeue();
        self.writers.drain(..).for_each(Waker::wake);
    }

    /// Tells whether one more datagram can be put aside, for this neighbor.
    pub(super) fn can_hold(&self, hop: IpAddress) -> bool {
        let has_place = self.neighbors.len() < MOST_NEIGHBORS || self.neighbors.contains(&hop);
        has_place && self.held.len() < MOST_HELD
    }

    /// Puts the next datagram aside, so that those behind it go on.
    pub(super) fn hold(&mut self, hop: IpAddress, now: Instant) {
        if self.held.is_empty() {
            self.ask_at = now + NEIGHBOR_PAUSE;
        }
        if let Some((ends, payload)) = self.first() {
            let payload = payload.into();
            self.held.push_back(Held {
                ends,
                hop,
                payload,
                until: now + PATIENCE,
            });
            self.note(hop);
        }
        self.pop();
    }

    fn note(&mut self, hop: IpAddress) {
        if !self.neighbors.contains(&hop) {
            self.neighbors.push(hop);
        }
    }

    /// The datagrams that were put aside, the oldest first.
    pub(super) fn held(&mut self) -> &mut VecDeque<Held> {
        &mut self.held
    }

    /// When to look at them again, if there are any and no neighbor is found before.
    pub(super) fn look_at(&self) -> Option<Instant> {
        Some(self.held.front()?.until.min(self.ask_at))
    }

    /// All of them were looked at.
    pub(super) fn looked(&mut self, now: Instant) {
        self.ask_at = now + NEIGHBOR_PAUSE;
        self.neighbors.clear();
        for index in 0..self.held.len() {
            self.note(self.held[index].hop);
        }
    }
}
