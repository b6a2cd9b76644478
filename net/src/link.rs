//! An in-memory link: two devices, each of which receives what the other transmits.
#![forbid(unsafe_code)]

use crate::{Counters, MacAddress, Net, TransmitError};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::task::{Context, Poll, Waker};

/// Bytes of an Ethernet header.
const HEADER: usize = 14;
/// The largest payload of a frame, in bytes.
const MTU: usize = 1_500;

/// Decides whether a frame passes.
type Filter = Box<dyn FnMut(&[u8]) -> bool>;

/// One end of an in-memory link, for tests: no loss (unless a filter is set), no delay.
/// A frame arrives when the sender flushes.
pub struct Link {
    mac: MacAddress,
    counters: Counters,
    /// Whether this end was found full, so that it waits for room.
    wants_room: bool,
    outgoing: Rc<RefCell<Direction>>,
    incoming: Rc<RefCell<Direction>>,
}

/// What travels one way.
struct Direction {
    capacity: usize,
    /// Transmitted and not flushed yet.
    queued: VecDeque<Vec<u8>>,
    /// Flushed and not received yet.
    arrived: VecDeque<Vec<u8>>,
    /// Buffers to use again.
    spare: Vec<Vec<u8>>,
    filter: Option<Filter>,
    sender: Option<Waker>,
    receiver: Option<Waker>,
}

impl Direction {
    fn new(capacity: usize) -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self {
            capacity,
            queued: VecDeque::new(),
            arrived: VecDeque::new(),
            spare: Vec::new(),
            filter: None,
            sender: None,
            receiver: None,
        }))
    }

    fn has_room(&self) -> bool {
        self.queued.len() + self.arrived.len() < self.capacity
    }

    fn flush(&mut self) {
        while let Some(frame) = self.queued.pop_front() {
            let passes = self.filter.as_mut().is_none_or(|filter| filter(&frame));
            if passes {
                self.arrived.push_back(frame);
            } else {
                self.spare.push(frame);
            }
        }
        if !self.arrived.is_empty()
            && let Some(waker) = self.receiver.take()
        {
            waker.wake();
        }
    }
}

impl Link {
    /// A pair of devices. At most `capacity` frames are under way in each direction; then
    /// a device is full.
    pub fn pair(capacity: usize) -> (Self, Self) {
        let (one, other) = (Direction::new(capacity), Direction::new(capacity));
        let end = |number, outgoing: &Rc<_>, incoming: &Rc<_>| Self {
            mac: MacAddress([0x02, 0, 0, 0, 0, number]),
            counters: Counters::default(),
            wants_room: false,
            outgoing: Rc::clone(outgoing),
            incoming: Rc::clone(incoming),
        };
        (end(1, &one, &other), end(2, &other, &one))
    }

    /// Lets only those frames pass that this end transmits and for which `filter` is true.
    /// The others are lost.
    pub fn set_filter(&mut self, filter: impl FnMut(&[u8]) -> bool + 'static) {
        self.outgoing.borrow_mut().filter = Some(Box::new(filter));
    }
}

impl Net for Link {
    type Frame = Vec<u8>;

    fn mac(&self) -> MacAddress {
        self.mac
    }

    fn mtu(&self) -> usize {
        MTU
    }

    fn counters(&self) -> Counters {
        self.counters
    }

    fn receive(&mut self) -> Option<Vec<u8>> {
        let mut incoming = self.incoming.borrow_mut();
        let frame = incoming.arrived.pop_front()?;
        self.counters.received_frames += 1;
        self.counters.received_bytes += frame.len() as u64;
        if let Some(waker) = incoming.sender.take() {
            waker.wake();
        }
        Some(frame)
    }

    fn recycle(&mut self, frame: Vec<u8>) {
        let mut incoming = self.incoming.borrow_mut();
        if incoming.spare.len() < incoming.capacity {
            incoming.spare.push(frame);
        }
    }

    fn can_transmit(&mut self) -> bool {
        let room = self.outgoing.borrow().has_room();
        self.wants_room = !room;
        room
    }

    fn transmit<R>(
        &mut self,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> R,
    ) -> Result<R, TransmitError> {
        if length > HEADER + MTU {
            return Err(TransmitError::TooLong);
        }
        if !self.can_transmit() {
            return Err(TransmitError::Full);
        }
        let mut outgoing = self.outgoing.borrow_mut();
        let mut frame = outgoing.spare.pop().unwrap_or_default();
        frame.resize(length, 0);
        let result = fill(&mut frame);
        outgoing.queued.push_back(frame);
        self.counters.transmitted_frames += 1;
        self.counters.transmitted_bytes += length as u64;
        Ok(result)
    }

    fn flush(&mut self) {
        let mut outgoing = self.outgoing.borrow_mut();
        if !outgoing.queued.is_empty() {
            self.counters.notifications += 1;
            outgoing.flush();
        }
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let (mut incoming, mut outgoing) = (self.incoming.borrow_mut(), self.outgoing.borrow_mut());
        if !incoming.arrived.is_empty() || (self.wants_room && outgoing.has_room()) {
            self.wants_room = false;
            return Poll::Ready(());
        }
        incoming.receiver = Some(context.waker().clone());
        if self.wants_room {
            outgoing.sender = Some(context.waker().clone());
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(device: &mut Link, byte: u8) -> Result<(), TransmitError> {
        device.transmit(20, |frame| frame.fill(byte))
    }

    #[test]
    fn frames_arrive_in_order_once_they_are_flushed() {
        let (mut one, mut other) = Link::pair(2);
        assert_eq!(send(&mut one, 1), Ok(()));
        assert_eq!(send(&mut one, 2), Ok(()));
        assert_eq!(send(&mut one, 3), Err(TransmitError::Full));
        assert_eq!(other.receive(), None);
        one.flush();
        assert_eq!(other.receive(), Some([1; 20].to_vec()));
        assert_eq!(send(&mut one, 4), Ok(()));
        assert_eq!(one.counters().notifications, 1);
        assert_eq!(one.transmit(2_000, |_| ()), Err(TransmitError::TooLong));
    }

    #[test]
    fn a_filter_loses_frames() {
        let (mut one, mut other) = Link::pair(8);
        one.set_filter(|frame| frame[0] != 2);
        for byte in 1..=3 {
            assert_eq!(send(&mut one, byte), Ok(()));
        }
        one.flush();
        assert_eq!(other.receive().map(|frame| frame[0]), Some(1));
        assert_eq!(other.receive().map(|frame| frame[0]), Some(3));
        assert_eq!(other.receive(), None);
    }
}
