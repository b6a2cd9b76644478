//! Datagrams that are to be sent.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use core::task::{Context, Poll, Waker};
use fata_time::Instant;
use smoltcp::storage::{PacketBuffer, PacketMetadata};
use smoltcp::wire::IpEndpoint;

/// Datagrams of a socket that are held while their neighbors are asked for.
const MOST_HELD: usize = 16;

/// Where a datagram comes from and goes to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) local: IpEndpoint,
    pub(super) remote: IpEndpoint,
}

/// A datagram whose neighbor is asked for.
pub(super) struct Held {
    pub(super) ends: Ends,
    pub(super) payload: Box<[u8]>,
    /// When it is dropped.
    pub(super) until: Instant,
}

/// What a UDP socket has to send.
pub(super) struct Outbox {
    queue: PacketBuffer<'static, Ends>,
    held: VecDeque<Held>,
    /// Those who wait for room.
    writers: Vec<Waker>,
}

impl Outbox {
    /// An outbox for `count` datagrams of `bytes` bytes in all.
    pub(super) fn new(count: usize, bytes: usize) -> Self {
        Self {
            queue: PacketBuffer::new(vec![PacketMetadata::EMPTY; count], vec![0; bytes]),
            held: VecDeque::new(),
            writers: Vec::new(),
        }
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

    /// Whether one more datagram can be put aside.
    pub(super) fn can_hold(&self) -> bool {
        self.held.len() < MOST_HELD
    }

    /// Puts the next datagram aside, so that those behind it go on.
    pub(super) fn hold(&mut self, until: Instant) {
        if let Some((ends, payload)) = self.first() {
            let payload = payload.into();
            self.held.push_back(Held {
                ends,
                payload,
                until,
            });
        }
        self.pop();
    }

    /// The datagrams that were put aside, oldest first.
    pub(super) fn held(&mut self) -> &mut VecDeque<Held> {
        &mut self.held
    }
}
