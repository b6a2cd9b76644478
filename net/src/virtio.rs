//! virtio-net (virtio 1.2, section 5.1), over any transport.
//!
//! Header and frame share a buffer, frames are built and read in place, and the device is
//! notified once a batch. Its interrupts are off except while a task waits.

use crate::{Counters, MacAddress, Net, TransmitError};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::task::{Context, Poll};
use fata_task::Event;
use fata_virtio::{
    Aligned, Device, QueueError, Readable, SetUpError, SplitQueue, Writable, feature,
};
use virtio_drivers::Hal;
use virtio_drivers::transport::Transport;

const RECEIVE: u16 = 0;
const TRANSMIT: u16 = 1;
/// Descriptors asked for; each has a buffer.
const RECEIVE_BUFFERS: u16 = 256;
const TRANSMIT_BUFFERS: u16 = 128;

/// Bytes of a buffer: the largest header, 1,514 bytes of frame, and a multiple of a cache line.
const BUFFER: usize = 1_536;

/// Memory for a header and a frame.
type Buffer = Box<Aligned<BUFFER>>;

const ETHERNET_HEADER: usize = 14;
const DEFAULT_MTU: u16 = 1_500;
/// No device may have a lower one (section 5.1.4.1).
const LOWEST_MTU: u16 = 68;
/// `virtio_net_hdr` with and without its last field, `num_buffers` (section 5.1.6).
const HEADER: usize = 12;
const LEGACY_HEADER: usize = 10;

/// Places in the device's configuration (section 5.1.4).
const CONFIG_MAC: usize = 0;
const CONFIG_MTU: usize = 10;

/// Feature bits (section 5.1.3).
const FEATURE_MTU: u64 = 1 << 3;
const FEATURE_MAC: u64 = 1 << 5;

/// A virtio network card.
///
/// It holds up to 256 receive buffers from the start, and up to 128 transmit buffers as they
/// are needed, of 1,536 bytes each.
pub struct VirtioNet<H: Hal, T: Transport> {
    device: Device<T>,
    event: &'static Event,
    receive: SplitQueue<H, T, Writable<Buffer>>,
    transmit: SplitQueue<H, T, Readable<Buffer>>,
    /// Transmit buffers that can be filled, and how many more may be allocated.
    free: Vec<Buffer>,
    unallocated: u16,
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
    /// If there is no memory for the queues, or the device does not follow the
    /// specification.
    pub fn new(transport: T, event: &'static Event) -> Result<Self, SetUpError> {
        let device = Device::new(transport, FEATURE_MAC | FEATURE_MTU)?;
        let features = device.features();
        let mac = if features & FEATURE_MAC != 0 {
            device.configuration(CONFIG_MAC)?
        } else {
            // Locally administered; the driver has to choose one (section 5.1.5).
            [0x02, 0x66, 0x61, 0x74, 0x61, 0x01]
        };
        let mtu = if features & FEATURE_MTU != 0 {
            u16::from_le_bytes(device.configuration(CONFIG_MTU)?)
        } else {
            DEFAULT_MTU
        };
        let modern = features & feature::VERSION_1 != 0;
        let mut receive = device.queue(RECEIVE, RECEIVE_BUFFERS)?;
        let mut transmit = device.queue(TRANSMIT, TRANSMIT_BUFFERS)?;
        receive.disable_interrupts();
        transmit.disable_interrupts();
        device.start();
        let mut card = Self {
            device,
            event,
            free: Vec::with_capacity(transmit.size().into()),
            unallocated: transmit.size(),
            receive,
            transmit,
            wants_room: false,
            broken: false,
            header: if modern { HEADER } else { LEGACY_HEADER },
            mac: MacAddress(mac),
            mtu: mtu.clamp(LOWEST_MTU, DEFAULT_MTU).into(),
            counters: Counters::default(),
        };
        for _ in 0..card.receive.size() {
            card.offer(Aligned::new());
        }
        card.flush();
        Ok(card)
    }

    /// Queues a buffer to be filled by the device.
    fn offer(&mut self, buffer: Buffer) {
        let added = self.receive.add(Writable::new(buffer, BUFFER));
        if let Err(rejected) = added {
            self.give_up(rejected.reason);
        }
    }

    /// Takes the buffers back that the device has sent.
    fn reclaim(&mut self) {
        loop {
            match self.transmit.pop() {
                Ok(Some(used)) => self.free.push(used.buffer.into_memory()),
                Ok(None) => return,
                Err(error) => return self.give_up(error),
            }
        }
    }

    /// Takes the device's memory away, as nothing it says can be believed.
    #[cold]
    fn give_up(&mut self, error: QueueError) {
        if !self.broken {
            self.broken = true;
            self.device.reset();
            log::error!(
                target: "net",
                "the network device is not used any more: {error}"
            );
        }
    }

    /// What the queues say, unless the device has to be given up.
    fn checked(&mut self, ready: Result<bool, QueueError>) -> bool {
        ready.unwrap_or_else(|error| {
            self.give_up(error);
            false
        })
    }

    fn is_ready(&mut self) -> bool {
        let received = self.receive.can_pop();
        if self.checked(received) {
            return true;
        }
        let sent = if self.wants_room {
            self.transmit.can_pop()
        } else {
            Ok(false)
        };
        self.checked(sent)
    }

    fn disable_interrupts(&mut self) {
        self.receive.disable_interrupts();
        self.transmit.disable_interrupts();
    }

    /// Returns whether something was there before the interrupts were on.
    fn enable_interrupts(&mut self) -> bool {
        let received = self.receive.enable_interrupts();
        let sent = if self.wants_room {
            self.transmit.enable_interrupts()
        } else {
            self.transmit.disable_interrupts();
            Ok(false)
        };
        self.checked(received) | self.checked(sent)
    }
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
        let used = match self.receive.pop() {
            Ok(used) => used?,
            Err(error) => {
                self.give_up(error);
                return None;
            }
        };
        let frame = ReceivedFrame {
            buffer: used.buffer.into_memory(),
            start: self.header,
            end: used.written.max(self.header),
        };
        self.counters.received_frames += 1;
        self.counters.received_bytes += frame.as_ref().len() as u64;
        Some(frame)
    }

    fn recycle(&mut self, frame: ReceivedFrame) {
        if !self.broken {
            self.offer(frame.buffer);
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
            Aligned::new()
        });
        let (header, frame) = buffer[..self.header + length].split_at_mut(self.header);
        header.fill(0);
        let result = fill(frame);
        let added = self
            .transmit
            .add(Readable::new(buffer, self.header + length));
        if let Err(rejected) = added {
            // There are no more buffers than descriptors, so the device was given up.
            self.give_up(rejected.reason);
            return Err(TransmitError::Full);
        }
        self.counters.transmitted_frames += 1;
        self.counters.transmitted_bytes += length as u64;
        Ok(result)
    }

    fn flush(&mut self) {
        let notified = [self.receive.publish(), self.transmit.publish()];
        let count = notified.into_iter().filter(|notified| *notified).count();
        self.counters.notifications += count as u64;
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while !self.broken {
            if self.is_ready() || self.enable_interrupts() {
                self.disable_interrupts();
                return Poll::Ready(());
            }
            if self.event.poll_wait(context).is_pending() {
                return Poll::Pending;
            }
            self.device.acknowledge_interrupt();
        }
        Poll::Pending
    }
}

/// A received frame in one of the card's buffers.
pub struct ReceivedFrame {
    buffer: Buffer,
    start: usize,
    end: usize,
}

impl AsRef<[u8]> for ReceivedFrame {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }
}
