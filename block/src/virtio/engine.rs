//! The queue, and what the driver knows of the requests in it.

use super::request::{Frame, Request, Status};
use crate::Error;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::task::{Context, Poll, Waker};
use fata_virtio::{Aligned, BusyPoll, Device, QueueError, SplitQueue};
use slab::Slab;

/// With more requests under way an interrupt tells of several at once, which makes batches.
const FEW: usize = 2;
/// Bytes of a request for each of which the driver polls once more for its end.
const BYTES_PER_POLL: usize = 256;
/// The most of these polls: for requests of a mebibyte.
const MOST_POLLS: u32 = 4096;

/// The state of a request.
enum Slot {
    /// It waits for room in the queue.
    Waiting(Request, Option<Waker>),
    /// The device has it.
    Queued(Option<Waker>),
    /// The device is done with it.
    Ended(Status, Vec<u8>),
    /// Nobody waits for it any more.
    Abandoned,
    /// It was not done, as the device is not used any more.
    Lost,
}

/// How often to poll for the end of a request of so many bytes.
fn polls(bytes: usize) -> u32 {
    let more = u32::try_from(bytes / BYTES_PER_POLL).unwrap_or(MOST_POLLS);
    BusyPoll::POLLS + more.min(MOST_POLLS)
}

/// All of the device that changes.
pub(super) struct Engine {
    queue: SplitQueue<Request>,
    pub(super) device: Device,
    slots: Slab<Slot>,
    /// The requests that wait for room, in their order.
    backlog: VecDeque<usize>,
    /// Frames of requests that have ended.
    frames: Vec<Frame>,
    /// Requests were added since the device was last told.
    added: bool,
    /// Bytes of the request that was added last.
    bytes: usize,
    busy_poll: BusyPoll,
    broken: bool,
}

impl Engine {
    pub(super) fn new(device: Device, mut queue: SplitQueue<Request>) -> Self {
        queue.disable_interrupts();
        Self {
            slots: Slab::with_capacity(queue.size().into()),
            frames: Vec::with_capacity(queue.size().into()),
            queue,
            device,
            backlog: VecDeque::new(),
            added: false,
            bytes: 0,
            busy_poll: BusyPoll::default(),
            broken: false,
        }
    }

    /// Memory for the header of a request.
    pub(super) fn frame(&mut self) -> Frame {
        self.frames.pop().unwrap_or_else(Aligned::new)
    }

    /// Takes a request in. Returns its key, and whether it is the first since the device was
    /// told.
    pub(super) fn submit(&mut self, mut request: Request) -> Result<(usize, bool), Error> {
        if self.broken {
            return Err(Error::Gone);
        }
        let entry = self.slots.vacant_entry();
        let key = entry.key();
        request.key = key;
        let first = !self.added;
        self.added = true;
        self.bytes = request.length();
        if !self.backlog.is_empty() {
            entry.insert(Slot::Waiting(request, None));
            self.backlog.push_back(key);
            return Ok((key, first));
        }
        match self.queue.add(request) {
            Ok(()) => {
                entry.insert(Slot::Queued(None));
            }
            Err(rejected) => {
                // Whatever else is wrong comes out at the next turn.
                entry.insert(Slot::Waiting(rejected.buffer, None));
                self.backlog.push_back(key);
            }
        }
        Ok((key, first))
    }

    /// How a request has ended, if it has; it is forgotten then.
    pub(super) fn poll(
        &mut self,
        key: usize,
        context: &mut Context<'_>,
    ) -> Poll<Result<(Status, Vec<u8>), Error>> {
        let waker = match self.slots.get_mut(key) {
            Some(Slot::Waiting(_, waker) | Slot::Queued(waker)) => waker,
            _ => {
                return Poll::Ready(match self.slots.try_remove(key) {
                    Some(Slot::Ended(status, data)) => Ok((status, data)),
                    _ => Err(Error::Gone),
                });
            }
        };
        match waker {
            Some(known) => known.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        Poll::Pending
    }

    /// Nobody waits for the request any more. Its memory lives on until the device is done.
    pub(super) fn abandon(&mut self, key: usize) {
        match self.slots.get_mut(key) {
            Some(slot @ (Slot::Waiting(..) | Slot::Queued(_))) => *slot = Slot::Abandoned,
            Some(_) => drop(self.slots.remove(key)),
            None => {}
        }
    }

    /// Takes in what the device is done with, hands on what waited for room, and tells the
    /// device of everything new at once.
    pub(super) fn turn(&mut self) -> Result<(), QueueError> {
        let before = self.queue.held();
        while let Some(used) = self.queue.pop()? {
            let key = used.buffer.key;
            let (status, data, frame) = used.buffer.into_parts();
            self.frames.push(frame);
            self.end(key, Slot::Ended(status, data));
        }
        while let Some(key) = self.backlog.front().copied() {
            if !self.hand_on(key)? {
                break;
            }
            self.backlog.pop_front();
        }
        if self.queue.held() < before {
            self.busy_poll.succeed();
        }
        if self.queue.held() != before || self.added {
            self.busy_poll.renew(polls(self.bytes));
        }
        self.added = false;
        self.queue.publish();
        Ok(())
    }

    /// Returns whether to poll for the end of a request once more before the processor halts.
    pub(super) fn polls_again(&mut self) -> bool {
        (1..=FEW).contains(&self.queue.held()) && self.busy_poll.has_more()
    }

    /// Gives a waiting request to the queue. Returns false if there is no room for it.
    fn hand_on(&mut self, key: usize) -> Result<bool, QueueError> {
        let Some(slot) = self.slots.get_mut(key) else {
            return Ok(true);
        };
        match core::mem::replace(slot, Slot::Abandoned) {
            Slot::Waiting(request, waker) => match self.queue.add(request) {
                Ok(()) => *slot = Slot::Queued(waker),
                Err(rejected) => {
                    *slot = Slot::Waiting(rejected.buffer, waker);
                    return match rejected.reason {
                        QueueError::Full => Ok(false),
                        reason => Err(reason),
                    };
                }
            },
            _ => drop(self.slots.remove(key)),
        }
        Ok(true)
    }

    /// Notes how a request has ended.
    fn end(&mut self, key: usize, how: Slot) {
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        match core::mem::replace(slot, how) {
            Slot::Waiting(_, waker) | Slot::Queued(waker) => {
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
            _ => drop(self.slots.remove(key)),
        }
    }

    /// Asks for an interrupt at the next end of a request. Returns true if one has ended
    /// already, and there may be none.
    pub(super) fn enable_interrupts(&mut self) -> Result<bool, QueueError> {
        self.queue.enable_interrupts()
    }

    pub(super) fn disable_interrupts(&mut self) {
        self.queue.disable_interrupts();
    }

    /// Ends all requests, as nothing that the device says can be believed.
    pub(super) fn give_up(&mut self) {
        self.broken = true;
        self.device.reset();
        self.backlog.clear();
        let keys: Vec<usize> = self.slots.iter().map(|(key, _)| key).collect();
        for key in keys {
            if !matches!(self.slots[key], Slot::Ended(..)) {
                self.end(key, Slot::Lost);
            }
        }
    }

    /// Returns whether nothing is under way.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.slots.is_empty() && self.queue.held() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_requests_are_polled_for_longer() {
        assert_eq!(polls(0), BusyPoll::POLLS);
        assert_eq!(polls(4096), BusyPoll::POLLS + 16);
        for bytes in [1 << 20, 1 << 30, usize::MAX] {
            assert_eq!(polls(bytes), BusyPoll::POLLS + MOST_POLLS);
        }
    }
}
