//! virtio-net (virtio 1.2, section 5.1), over any transport.
//!
//! Header and frame share a buffer, frames are built and read in place, and the device is
//! notified once a batch. Its interrupts are off except while a task waits.

mod buffer;

use crate::{Counters, MacAddress, Net, TransmitError};
use alloc::boxed::Box;
use alloc::vec::Vec;
use buffer::{Buffer, Lent};
use core::sync::atomic::{Ordering, fence};
use core::task::{Context, Poll};
use fata_task::Event;
use virtio_drivers::queue::VirtQueue;
use virtio_drivers::transport::Transport;
use virtio_drivers::{Error, Hal};

pub use buffer::ReceivedFrame;

const RECEIVE: u16 = 0;
const TRANSMIT: u16 = 1;
const RECEIVE_BUFFERS: usize = 256;
const TRANSMIT_BUFFERS: usize = 128;

const ETHERNET_HEADER: usize = 14;
const DEFAULT_MTU: u16 = 1_500;
/// `virtio_net_hdr` with and without its last field, `num_buffers` (section 5.1.6).
const HEADER: usize = 12;
const LEGACY_HEADER: usize = 10;

/// Places in the device's configuration (section 5.1.4).
const CONFIG_MAC: usize = 0;
const CONFIG_MTU: usize = 10;

bitflags::bitflags! {
    /// Feature bits (sections 5.1.3 and 6).
    #[derive(Clone, Copy, Debug)]
    struct Features: u64 {
        const MTU = 1 << 3;
        const MAC = 1 << 5;
        const VERSION_1 = 1 << 32;
    }
}

/// A virtio network card.
///
/// It holds 256 receive buffers from the start, and up to 128 transmit buffers as they
/// are needed, of 1,536 bytes each.
pub struct VirtioNet<H: Hal, T: Transport> {
    // First, so that it is dropped first: that resets the device, which then lets go of
    // the queues and buffers below.
    transport: T,
    event: &'static Event,
    receive: Box<VirtQueue<H, RECEIVE_BUFFERS>>,
    transmit: Box<VirtQueue<H, TRANSMIT_BUFFERS>>,
    /// The buffers that the device holds, by the queue's tokens.
    receiving: Vec<Option<Lent>>,
    transmitting: Vec<Option<Lent>>,
    /// Transmit buffers that can be filled, and how many more may be allocated.
    #[expect(clippy::vec_box, reason = "buffers come and go as boxes")]
    free: Vec<Box<Buffer>>,
    unallocated: usize,
    /// Whether buffers were queued that the device was not notified of.
    new_receive: bool,
    new_transmit: bool,
    /// Whether somebody found the transmit queue full.
    wants_room: bool,
    /// The device broke the rules and is not used any more.
    broken: bool,
    header: usize,
    mac: MacAddress,
    mtu: usize,
    counters: Counters,
}

impl<H: Hal, T: Transport> VirtioNet<H, T> {
    /// Sets the device up. `event` is signalled after each of its interrupts.
    ///
    /// # Errors
    /// If there is no memory for the queues, or the device offers less than 256 buffers a
    /// queue.
    pub fn new(mut transport: T, event: &'static Event) -> Result<Self, Error> {
        let features = transport.begin_init(Features::all());
        let mac = if features.contains(Features::MAC) {
            transport.read_consistent(|| transport.read_config_space::<[u8; 6]>(CONFIG_MAC))?
        } else {
            // Locally administered; the driver has to choose one (section 5.1.5).
            [0x02, 0x66, 0x61, 0x74, 0x61, 0x01]
        };
        let mtu = if features.contains(Features::MTU) {
            transport.read_config_space::<u16>(CONFIG_MTU)?
        } else {
            DEFAULT_MTU
        };
        let modern = features.contains(Features::VERSION_1);
        let mut receive = Box::new(VirtQueue::new(&mut transport, RECEIVE, false, false)?);
        let mut transmit = Box::new(VirtQueue::new(&mut transport, TRANSMIT, false, false)?);
        receive.set_dev_notify(false);
        transmit.set_dev_notify(false);
        transport.finish_init();
        let mut card = Self {
            transport,
            event,
            receive,
            transmit,
            receiving: none(RECEIVE_BUFFERS),
            transmitting: none(TRANSMIT_BUFFERS),
            free: Vec::with_capacity(TRANSMIT_BUFFERS),
            unallocated: TRANSMIT_BUFFERS,
            new_receive: false,
            new_transmit: false,
            wants_room: false,
            broken: false,
            header: if modern { HEADER } else { LEGACY_HEADER },
            mac: MacAddress(mac),
            mtu: usize::from(mtu.min(DEFAULT_MTU)),
            counters: Counters::default(),
        };
        for _ in 0..RECEIVE_BUFFERS {
            card.offer(Buffer::new());
        }
        card.flush();
        Ok(card)
    }

    /// Queues a buffer to be filled by the device.
    fn offer(&mut self, buffer: Box<Buffer>) {
        let lent = Lent::new(buffer, Buffer::SIZE);
        // SAFETY: the buffer stays lent, and so untouched, until its token comes back.
        match unsafe { self.receive.add(&[], &mut [lent.bytes_mut()]) } {
            Ok(token) => self.receiving[usize::from(token)] = Some(lent),
            Err(_) => self.give_up("has no room for its receive buffers"),
        }
        self.new_receive = true;
    }

    /// Takes the buffers back that the device has sent.
    fn reclaim(&mut self) {
        while let Some(token) = self.transmit.peek_used() {
            let slot = self.transmitting.get_mut(usize::from(token));
            let Some(lent) = slot.and_then(Option::take) else {
                return self.give_up("sent a buffer that it was not given");
            };
            // SAFETY: this is the buffer that was queued under the token.
            let popped = unsafe { self.transmit.pop_used(token, &[lent.bytes()], &mut []) };
            if popped.is_err() {
                return self.give_up("changed its ring");
            }
            // SAFETY: the device has let go of the buffer.
            self.free.push(unsafe { lent.into_buffer() });
        }
    }

    fn give_up(&mut self, what: &str) {
        self.broken = true;
        log::error!(target: "net", "the network device {what}; it is not used any more");
    }

    fn is_ready(&self) -> bool {
        self.receive.can_pop() || (self.wants_room && self.transmit.can_pop())
    }

    fn set_interrupts(&mut self, on: bool) {
        self.receive.set_dev_notify(on);
        self.transmit.set_dev_notify(on && self.wants_room);
    }
}

fn none(count: usize) -> Vec<Option<Lent>> {
    core::iter::repeat_with(|| None).take(count).collect()
}

impl<H: Hal, T: Transport> Net for VirtioNet<H, T> {
    type Frame = ReceivedFrame;

    fn mac(&self) -> MacAddress {
        self.mac
    }

    fn mtu(&self) -> usize {
        self.mtu
    }

    fn counters(&self) -> Counters {
        self.counters
    }

    fn receive(&mut self) -> Option<ReceivedFrame> {
        if self.broken {
            return None;
        }
        let token = self.receive.peek_used()?;
        let slot = self.receiving.get_mut(usize::from(token));
        let Some(lent) = slot.and_then(Option::take) else {
            self.give_up("filled a buffer that it was not given");
            return None;
        };
        // SAFETY: this is the buffer that was queued under the token.
        let popped = unsafe { self.receive.pop_used(token, &[], &mut [lent.bytes_mut()]) };
        let Ok(length) = popped else {
            self.give_up("changed its ring");
            return None;
        };
        // SAFETY: the device has let go of the buffer.
        let buffer = unsafe { lent.into_buffer() };
        let frame = ReceivedFrame::new(buffer, self.header, length as usize);
        self.counters.received_frames += 1;
        self.counters.received_bytes += frame.as_ref().len() as u64;
        Some(frame)
    }

    fn recycle(&mut self, frame: ReceivedFrame) {
        if !self.broken {
            self.offer(frame.into_buffer());
        }
    }

    fn can_transmit(&mut self) -> bool {
        if self.free.is_empty() && self.unallocated == 0 && !self.broken {
            self.reclaim();
        }
        let room = !self.broken && (!self.free.is_empty() || self.unallocated > 0);
        self.wants_room = !room;
        room
    }

    fn transmit<R>(
        &mut self,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> R,
    ) -> Result<R, TransmitError> {
        if length > self.mtu + ETHERNET_HEADER {
            return Err(TransmitError::TooLong);
        }
        if !self.can_transmit() {
            return Err(TransmitError::Full);
        }
        let mut buffer = self.free.pop().unwrap_or_else(|| {
            self.unallocated -= 1;
            Buffer::new()
        });
        let (header, frame) = buffer.split(self.header, length);
        header.fill(0);
        let result = fill(frame);
        let lent = Lent::new(buffer, self.header + length);
        // SAFETY: the buffer stays lent, and so untouched, until its token comes back.
        let Ok(token) = (unsafe { self.transmit.add(&[lent.bytes()], &mut []) }) else {
            // There are no more buffers than descriptors, so this cannot happen.
            self.give_up("has no room for its transmit buffers");
            return Err(TransmitError::Full);
        };
        self.transmitting[usize::from(token)] = Some(lent);
        self.new_transmit = true;
        self.counters.transmitted_frames += 1;
        self.counters.transmitted_bytes += length as u64;
        Ok(result)
    }

    fn flush(&mut self) {
        // The device must see the new entries before its wish for a notification is read
        // (section 2.7.13.4.1): a store, then a load, which x86 may turn round.
        fence(Ordering::SeqCst);
        if core::mem::take(&mut self.new_receive) && self.receive.should_notify() {
            self.transport.notify(RECEIVE);
            self.counters.notifications += 1;
        }
        if core::mem::take(&mut self.new_transmit) && self.transmit.should_notify() {
            self.transport.notify(TRANSMIT);
            self.counters.notifications += 1;
        }
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while !self.broken {
            if self.is_ready() {
                self.set_interrupts(false);
                return Poll::Ready(());
            }
            self.set_interrupts(true);
            // Interrupts are on before the rings are looked at for the last time.
            fence(Ordering::SeqCst);
            if self.is_ready() {
                continue;
            }
            if self.event.poll_wait(context).is_pending() {
                return Poll::Pending;
            }
            // Lowers the line, so that the next interrupt is a new edge.
            self.transport.ack_interrupt();
        }
        Poll::Pending
    }
}
