//! An in-memory link: two devices, each of which receives what the other transmits.
#![forbid(unsafe_code)]

mod frame;

pub use frame::LinkFrame;

use crate::ethernet::LONGEST_HEADER;
use crate::segmentation::complete;
use crate::{Counters, LARGEST_FRAME, MacAddress, Net, Offload, Offloads, TransmitError};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::task::{Context, Poll, Waker};

/// The largest payload of a frame, in bytes.
const MTU: usize = 1_500;

/// Decides whether a frame passes.
type Filter = Box<dyn FnMut(&[u8]) -> bool>;

/// One end of an in-memory link, for tests: no loss (unless a filter is set), no delay.
/// A frame arrives when the sender flushes.
///
/// Without [`set_offloads`](Self::set_offloads) frames are complete and no longer than the
/// MTU. An end with offloads hands long TCP segments over whole to another one with them;
/// else the link cuts them and completes the checksums, as a NIC does.
pub struct Link {
    mac: MacAddress,
    offloads: Offloads,
    counters: Counters,
    /// For how many frames this end waits for room, as it was found full or crowded.
    wanted: usize,
    outgoing: Rc<RefCell<Direction>>,
    incoming: Rc<RefCell<Direction>>,
}

/// Frames that travel one way.
struct Direction {
    capacity: usize,
    /// Transmitted and not flushed yet.
    queued: VecDeque<LinkFrame>,
    /// Flushed and not received yet.
    arrived: VecDeque<LinkFrame>,
    /// Buffers to use again.
    spare: Vec<Vec<u8>>,
    /// True if the receiver takes frames that are not complete.
    takes_partial: bool,
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
            takes_partial: false,
            filter: None,
            sender: None,
            receiver: None,
        }))
    }

    /// How many frames more can be under way.
    fn room(&self) -> usize {
        self.capacity
            .saturating_sub(self.queued.len() + self.arrived.len())
    }

    fn flush(&mut self) {
        while let Some(frame) = self.queued.pop_front() {
            let passes = self.filter.as_mut().is_none_or(|filter| filter(&frame));
            if !passes {
                self.spare.push(frame.bytes);
            } else if self.takes_partial {
                self.arrived.push_back(frame);
            } else {
                let LinkFrame { bytes, offload } = frame;
                complete(bytes, offload, &mut self.spare, |bytes| {
                    let offload = Offload::None;
                    self.arrived.push_back(LinkFrame { bytes, offload });
                });
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
            offloads: Offloads::default(),
            counters: Counters::default(),
            wanted: 0,
            outgoing: Rc::clone(outgoing),
            incoming: Rc::clone(incoming),
        };
        (end(1, &one, &other), end(2, &other, &one))
    }

    /// Lets this end leave `offloads` to the link, and take what the other end left to it.
    pub fn set_offloads(&mut self, offloads: Offloads) {
        self.offloads = offloads;
        self.incoming.borrow_mut().takes_partial = offloads.checksum;
    }

    /// Lets only those frames pass that this end transmits and for which `filter` is true.
    /// The others are lost.
    pub fn set_filter(&mut self, filter: impl FnMut(&[u8]) -> bool + 'static) {
        self.outgoing.borrow_mut().filter = Some(Box::new(filter));
    }
}

impl Net for Link {
    type Frame = LinkFrame;

    fn mac(&self) -> MacAddress {
        self.mac
    }

    fn mtu(&self) -> usize {
        MTU
    }

    fn offloads(&self) -> Offloads {
        self.offloads
    }

    fn counters(&self) -> Counters {
        self.counters
    }

    fn receive(&mut self) -> Option<LinkFrame> {
        let mut incoming = self.incoming.borrow_mut();
        let frame = incoming.arrived.pop_front()?;
        self.counters.received_frames += 1;
        self.counters.received_bytes += frame.as_ref().len() as u64;
        if let Some(waker) = incoming.sender.take() {
            waker.wake();
        }
        Some(frame)
    }

    fn waiting(&self) -> Option<usize> {
        Some(self.incoming.borrow().arrived.len())
    }

    fn recycle(&mut self, frame: LinkFrame) {
        let mut incoming = self.incoming.borrow_mut();
        if incoming.spare.len() < incoming.capacity {
            incoming.spare.push(frame.bytes);
        }
    }

    fn can_transmit(&mut self) -> bool {
        let has_room = self.outgoing.borrow().room() > 0;
        self.wanted = usize::from(!has_room);
        has_room
    }

    fn is_crowded(&mut self) -> bool {
        let outgoing = self.outgoing.borrow();
        let reserve = outgoing.capacity / 4;
        let is_crowded = outgoing.room() <= reserve;
        self.wanted = if is_crowded { reserve + 1 } else { 0 };
        is_crowded
    }

    fn transmit_offloaded<R>(
        &mut self,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> (R, Offload),
    ) -> Result<R, TransmitError> {
        let cuts = self.offloads.tcp_ipv4 || self.offloads.tcp_ipv6;
        if length
            > if cuts {
                LARGEST_FRAME
            } else {
                LONGEST_HEADER + MTU
            }
        {
            return Err(TransmitError::TooLong);
        }
        if !self.can_transmit() {
            return Err(TransmitError::Full);
        }
        let mut outgoing = self.outgoing.borrow_mut();
        let mut bytes = outgoing.spare.pop().unwrap_or_default();
        bytes.resize(length, 0);
        let (result, offload) = fill(&mut bytes);
        if length > LONGEST_HEADER + MTU && !matches!(offload, Offload::Segments { .. }) {
            outgoing.spare.push(bytes);
            return Err(TransmitError::TooLong);
        }
        outgoing.queued.push_back(LinkFrame { bytes, offload });
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
        let has_room = self.wanted > 0 && outgoing.room() >= self.wanted;
        if !incoming.arrived.is_empty() || has_room {
            self.wanted = 0;
            return Poll::Ready(());
        }
        incoming.receiver = Some(context.waker().clone());
        if self.wanted > 0 {
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
        assert!(other.receive().is_none());
        one.flush();
        assert_eq!(other.receive().as_deref(), Some(&[1; 20][..]));
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
        assert!(other.receive().is_none());
    }
}
