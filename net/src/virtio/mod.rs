//! virtio-net (virtio 1.2, section 5.1), over any transport.
//!
//! Header and frame share a buffer, frames are built and read in place, and the device is
//! notified once a batch. Its interrupts are off except while a task waits.
//!
//! Where the device offers it, it completes checksums, cuts long TCP segments and delivers
//! merged ones. A received frame over several buffers is copied into one. After the first
//! such frames large buffers take the place of small ones, so that this ends.

mod buffers;
mod busy_poll;
mod error;
mod receive;
mod transmit;

pub use receive::ReceivedFrame;

use crate::ethernet::LONGEST_HEADER;
use crate::virtio_net_header as header;
use crate::{Counters, LARGEST_FRAME, MacAddress, Net, Offload, Offloads, TransmitError};
use busy_poll::FrameBusyPoll;
use core::task::{Context, Poll};
use error::Violation;
use fata_task::Event;
use fata_virtio::{Device, SetUpError, feature};
use receive::Receiver;
use transmit::Sender;
use virtio_drivers::Hal;
use virtio_drivers::transport::Transport;

const RECEIVE: u16 = 0;
const TRANSMIT: u16 = 1;
/// Descriptors asked for; each has a buffer.
const RECEIVE_BUFFERS: u16 = 256;
const TRANSMIT_BUFFERS: u16 = 128;

const DEFAULT_MTU: u16 = 1_500;
/// No device may have a lower one (section 5.1.4.1).
const LOWEST_MTU: u16 = 68;

/// Places in the device's configuration (section 5.1.4).
const CONFIG_MAC: usize = 0;
const CONFIG_MTU: usize = 10;

/// Feature bits (section 5.1.3).
const FEATURE_CHECKSUM: u64 = 1 << 0;
const FEATURE_GUEST_CHECKSUM: u64 = 1 << 1;
const FEATURE_MTU: u64 = 1 << 3;
const FEATURE_MAC: u64 = 1 << 5;
const FEATURE_GUEST_TSO: u64 = 1 << 7 | 1 << 8;
const FEATURE_HOST_TSO4: u64 = 1 << 11;
const FEATURE_HOST_TSO6: u64 = 1 << 12;
const FEATURE_MERGEABLE: u64 = 1 << 15;

/// The features to use of those that a device offers.
fn choose(offered: u64, large_buffers: u16) -> u64 {
    let mut wanted = FEATURE_MAC | FEATURE_MTU | FEATURE_CHECKSUM | FEATURE_GUEST_CHECKSUM;
    if large_buffers > 0 {
        // Segmentation depends on checksums (section 5.1.3.1).
        if offered & FEATURE_CHECKSUM != 0 {
            wanted |= FEATURE_HOST_TSO4 | FEATURE_HOST_TSO6;
        }
        // Without mergeable buffers each one would have to be large.
        if offered & FEATURE_GUEST_CHECKSUM != 0 && offered & FEATURE_MERGEABLE != 0 {
            wanted |= FEATURE_GUEST_TSO | FEATURE_MERGEABLE;
        }
    }
    wanted
}

/// A virtio NIC.
///
/// It holds up to 256 receive buffers from the start, and up to 128 transmit buffers as they
/// are needed, of 1,536 bytes each. Large ones, of 64 KiB, take the place of some when bulk
/// data first comes or goes.
pub struct VirtioNet {
    device: Device,
    event: &'static Event,
    receive: Receiver,
    transmit: Sender,
    /// The device broke the rules and is not used any more.
    broken: bool,
    mac: MacAddress,
    mtu: usize,
    offloads: Offloads,
    counters: Counters,
    /// `None` if it is disabled.
    busy_poll: Option<FrameBusyPoll>,
}

impl VirtioNet {
    /// Sets the device up. `event` is signalled after each of its interrupts. At most
    /// `large_buffers` are allocated for each direction, and one to merge frames in; with
    /// none, no frame is longer than the MTU.
    ///
    /// # Errors
    /// If there is no memory for the queues, or the device does not follow the
    /// specification.
    pub fn new<H: Hal>(
        transport: impl Transport + 'static,
        event: &'static Event,
        large_buffers: u16,
    ) -> Result<Self, SetUpError> {
        let device = Device::negotiate::<H>(transport, |offered| choose(offered, large_buffers))?;
        Self::open(device, event, large_buffers)
    }

    fn open(device: Device, event: &'static Event, large_buffers: u16) -> Result<Self, SetUpError> {
        let has = |feature: u64| device.features() & feature != 0;
        let mac = if has(FEATURE_MAC) {
            device.configuration(CONFIG_MAC)?
        } else {
            // Locally administered; the driver has to choose one (section 5.1.5).
            [0x02, 0x66, 0x61, 0x74, 0x61, 0x01]
        };
        let mtu = if has(FEATURE_MTU) {
            u16::from_le_bytes(device.configuration(CONFIG_MTU)?)
        } else {
            DEFAULT_MTU
        };
        let mergeable = has(FEATURE_MERGEABLE);
        // Section 5.1.6: legacy devices leave the last field out unless it is used.
        let header = if has(feature::VERSION_1) || mergeable {
            header::LONG
        } else {
            header::SHORT
        };
        let mut receive = Receiver {
            queue: device.queue(RECEIVE, RECEIVE_BUFFERS)?,
            header,
            mergeable,
            vouches: has(FEATURE_GUEST_CHECKSUM),
            replaceable: large_buffers,
            spare: None,
        };
        let queue = device.queue(TRANSMIT, TRANSMIT_BUFFERS)?;
        // Half of the buffers, at least, are for short frames.
        let cuts = has(FEATURE_HOST_TSO4 | FEATURE_HOST_TSO6);
        let large = large_buffers.min(if cuts { queue.size() / 2 } else { 0 });
        let mut transmit = Sender::new(queue, header, large);
        receive.queue.disable_interrupts();
        transmit.queue.disable_interrupts();
        device.start();
        let mut nic = Self {
            offloads: Offloads {
                checksum: has(FEATURE_CHECKSUM),
                tcp_ipv4: has(FEATURE_HOST_TSO4) && large > 0,
                tcp_ipv6: has(FEATURE_HOST_TSO6) && large > 0,
            },
            device,
            event,
            receive,
            transmit,
            broken: false,
            mac: MacAddress(mac),
            mtu: mtu.clamp(LOWEST_MTU, DEFAULT_MTU).into(),
            counters: Counters::default(),
            busy_poll: Some(FrameBusyPoll::default()),
        };
        let filled = nic.receive.fill();
        nic.checked(filled);
        nic.flush();
        Ok(nic)
    }

    /// Waits for an interrupt at once when nothing is to do. Else the driver busy-polls for the
    /// next frame for a moment, where peers have sent theirs soon: quicker answers for more
    /// processor time.
    pub fn disable_busy_poll(&mut self) {
        self.busy_poll = None;
    }

    /// Takes the device's memory away, as nothing it says can be believed.
    #[cold]
    fn give_up(&mut self, violation: Violation) {
        if !self.broken {
            self.broken = true;
            self.device.reset();
            log::error!(
                target: "net",
                "the network device is not used any more: {violation}"
            );
        }
    }

    /// The result of a queue, or nothing if the device has to be given up.
    fn checked<R: Default>(&mut self, result: Result<R, impl Into<Violation>>) -> R {
        result.unwrap_or_else(|violation| {
            self.give_up(violation.into());
            R::default()
        })
    }

    fn is_ready(&mut self) -> bool {
        let received = self.receive.queue.can_pop();
        if self.checked(received) {
            return true;
        }
        let sent = if self.transmit.wants_room {
            self.transmit.queue.can_pop()
        } else {
            Ok(false)
        };
        self.checked(sent)
    }

    fn disable_interrupts(&mut self) {
        self.receive.queue.disable_interrupts();
        self.transmit.queue.disable_interrupts();
    }

    /// Returns whether something was there before the interrupts were on.
    fn enable_interrupts(&mut self) -> bool {
        let received = self.receive.queue.enable_interrupts();
        let sent = if self.transmit.wants_room {
            self.transmit.queue.enable_interrupts()
        } else {
            self.transmit.queue.disable_interrupts();
            Ok(false)
        };
        self.checked(received) | self.checked(sent)
    }
}

impl Net for VirtioNet {
    type Frame = ReceivedFrame;

    fn mac(&self) -> MacAddress {
        self.mac
    }

    fn mtu(&self) -> usize {
        self.mtu
    }

    fn offloads(&self) -> Offloads {
        self.offloads
    }

    fn counters(&self) -> Counters {
        self.counters
    }

    fn receive(&mut self) -> Option<ReceivedFrame> {
        if self.broken {
            return None;
        }
        let frame = self.receive.receive();
        let frame = self.checked(frame)?;
        self.counters.received_frames += 1;
        self.counters.received_bytes += frame.as_ref().len() as u64;
        Some(frame)
    }

    fn waiting(&self) -> Option<usize> {
        Some(self.receive.queue.waiting().into())
    }

    fn recycle(&mut self, frame: ReceivedFrame) {
        if !self.broken {
            let recycled = self.receive.recycle(frame);
            self.checked(recycled);
        }
    }

    fn can_transmit(&mut self) -> bool {
        if self.broken {
            return false;
        }
        let room = self.transmit.has_room();
        self.checked(room)
    }

    fn is_crowded(&mut self) -> bool {
        if self.broken {
            return true;
        }
        let crowded = self.transmit.is_crowded();
        self.checked(crowded)
    }

    fn transmit_offloaded<R>(
        &mut self,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> (R, Offload),
    ) -> Result<R, TransmitError> {
        let longest = self.mtu + LONGEST_HEADER;
        let cuts = self.offloads.tcp_ipv4 || self.offloads.tcp_ipv6;
        if length > if cuts { LARGEST_FRAME } else { longest } {
            return Err(TransmitError::TooLong);
        }
        if !self.can_transmit() {
            return Err(TransmitError::Full);
        }
        let sent = match self.transmit.send(length, longest, fill) {
            Ok(sent) => sent?,
            Err(violation) => {
                self.give_up(violation);
                return Err(TransmitError::Full);
            }
        };
        self.counters.transmitted_frames += 1;
        self.counters.transmitted_bytes += length as u64;
        Ok(sent)
    }

    fn flush(&mut self) {
        let notified = [self.receive.queue.publish(), self.transmit.queue.publish()];
        let count = notified.into_iter().filter(|notified| *notified).count();
        self.counters.notifications += count as u64;
        if let Some(busy_poll) = &mut self.busy_poll {
            busy_poll.end_batch(self.counters.received_frames);
        }
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while !self.broken {
            let is_ready = self.is_ready();
            if let Some(busy_poll) = &mut self.busy_poll {
                if is_ready {
                    busy_poll.succeed();
                } else if busy_poll.has_more() {
                    // In turn with the other tasks.
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
            if is_ready || self.enable_interrupts() {
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
