//! An adapter that impairs a good device, to test the protocols above it.
#![forbid(unsafe_code)]

mod direction;
mod handle;
mod parameters;
#[cfg(test)]
mod tests;

pub use handle::ImpairmentHandle;
pub use parameters::{Impairment, ImpairmentCounts};

use crate::ethernet::LONGEST_HEADER;
use crate::segmentation::complete;
use crate::{Counters, Frame, LARGEST_FRAME, MacAddress, Net, Offload, Offloads, TransmitError};
use alloc::vec::Vec;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use direction::{Direction, Held};
use fata_task::{Handle, Sleep};
use fata_time::Instant;
use handle::Way;

/// Frames that are taken in from the device before other tasks run.
const BATCH: usize = 64;

/// A network device whose frames are lost, doubled, damaged, late, and slow, as an
/// [`Impairment`] for each direction says. The same seed and the same frames at the same times
/// have the same fate.
///
/// The adapter does itself what the stack leaves to the device, so that a long segment meets
/// its fate piece by piece; frames that the device has merged are one frame each. All frames
/// are copied once, in buffers that are used again. [`Counters`] are the device's.
pub struct ImpairedNet<N: Net> {
    device: N,
    tasks: Handle,
    outgoing: Direction,
    incoming: Direction,
    handle: ImpairmentHandle,
    /// The frames that come of one, until they are on their way.
    pieces: Vec<Vec<u8>>,
    /// This was found full, so somebody waits for room.
    wants_room: bool,
    /// The time of the next arrival, and what wakes the task then.
    timer: Option<(Instant, Sleep)>,
}

/// A frame that has come through the impairment.
pub struct ImpairedFrame(Held);

impl AsRef<[u8]> for ImpairedFrame {
    fn as_ref(&self) -> &[u8] {
        &self.0.bytes
    }
}

impl Frame for ImpairedFrame {
    fn is_verified(&self) -> bool {
        self.0.verified
    }

    fn remove_tag(&mut self) {
        self.0.bytes.remove_tag();
    }
}

impl<N: Net> ImpairedNet<N> {
    /// Impairs `device`: `outgoing` is for what it transmits, `incoming` for what it receives.
    pub fn new(
        device: N,
        tasks: &Handle,
        outgoing: Impairment,
        incoming: Impairment,
        seed: u64,
    ) -> Self {
        let handle = ImpairmentHandle {
            outgoing: Way::new(outgoing),
            incoming: Way::new(incoming),
        };
        Self {
            device,
            tasks: tasks.clone(),
            outgoing: Direction::new(handle.outgoing.clone(), seed, 0),
            incoming: Direction::new(handle.incoming.clone(), seed, 1),
            handle,
            pieces: Vec::new(),
            wants_room: false,
            timer: None,
        }
    }

    /// A handle to the impairment, which stays when a stack owns the device.
    pub fn handle(&self) -> ImpairmentHandle {
        self.handle.clone()
    }

    /// Hands to the device what has passed the outgoing direction, as far as it has room.
    /// Returns whether that was anything.
    fn release(&mut self, now: Instant) -> bool {
        let mut any = false;
        while self.outgoing.is_due(now) && self.device.can_transmit() {
            let Some(Held { bytes, .. }) = self.outgoing.take(now) else {
                break;
            };
            // A frame that is refused is lost, as on the wire.
            let _ = self
                .device
                .transmit(bytes.len(), |frame| frame.copy_from_slice(&bytes));
            self.outgoing.recycle(bytes);
            any = true;
        }
        any
    }

    /// Waits for the next arrival, if there is one to come.
    fn poll_timer(&mut self, context: &mut Context<'_>, now: Instant) -> Poll<()> {
        // Frames that wait for the device's room are not waited for here.
        let outgoing = self.outgoing.next_due().filter(|due| *due > now);
        let Some(due) = self.incoming.next_due().into_iter().chain(outgoing).min() else {
            self.timer = None;
            return Poll::Pending;
        };
        if self.timer.as_ref().is_none_or(|(set, _)| *set != due) {
            self.timer = Some((due, self.tasks.sleep_until(due)));
        }
        let sleep = self.timer.as_mut().map(|(_, sleep)| Pin::new(sleep));
        sleep.map_or(Poll::Pending, |sleep| sleep.poll(context))
    }
}

impl<N: Net> Net for ImpairedNet<N> {
    type Frame = ImpairedFrame;

    fn mac(&self) -> MacAddress {
        self.device.mac()
    }

    fn mtu(&self) -> usize {
        self.device.mtu()
    }

    fn offloads(&self) -> Offloads {
        self.device.offloads()
    }

    fn counters(&self) -> Counters {
        self.device.counters()
    }

    fn receive(&mut self) -> Option<ImpairedFrame> {
        let now = self.tasks.now();
        for _ in 0..BATCH {
            if let Some(held) = self.incoming.take(now) {
                return Some(ImpairedFrame(held));
            }
            let frame = self.device.receive()?;
            let mut bytes = self.incoming.buffer();
            bytes.clear();
            bytes.extend_from_slice(frame.as_ref());
            let verified = frame.is_verified();
            self.device.recycle(frame);
            self.incoming.admit(Held { bytes, verified }, now);
        }
        self.incoming.take(now).map(ImpairedFrame)
    }

    fn recycle(&mut self, frame: ImpairedFrame) {
        self.incoming.recycle(frame.0.bytes);
    }

    fn can_transmit(&mut self) -> bool {
        let now = self.tasks.now();
        self.release(now);
        self.wants_room = self.outgoing.is_due(now);
        !self.wants_room
    }

    fn transmit_offloaded<R>(
        &mut self,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> (R, Offload),
    ) -> Result<R, TransmitError> {
        let (whole, offloads) = (self.mtu() + LONGEST_HEADER, self.offloads());
        let cuts = offloads.tcp_ipv4 || offloads.tcp_ipv6;
        if length > if cuts { LARGEST_FRAME } else { whole } {
            return Err(TransmitError::TooLong);
        }
        if !self.can_transmit() {
            return Err(TransmitError::Full);
        }
        let mut frame = self.outgoing.buffer();
        frame.resize(length, 0);
        let (result, offload) = fill(&mut frame);
        if length > whole && !matches!(offload, Offload::Segments { .. }) {
            self.outgoing.recycle(frame);
            return Err(TransmitError::TooLong);
        }
        let pieces = &mut self.pieces;
        complete(frame, offload, &mut self.outgoing.spare, |piece| {
            pieces.push(piece)
        });
        let now = self.tasks.now();
        for bytes in self.pieces.drain(..) {
            let verified = false;
            self.outgoing.admit(Held { bytes, verified }, now);
        }
        Ok(result)
    }

    fn flush(&mut self) {
        self.release(self.tasks.now());
        self.device.flush();
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let now = self.tasks.now();
        if self.release(now) {
            self.device.flush();
        }
        let has_room = self.wants_room && !self.outgoing.is_due(now);
        if has_room || self.incoming.is_due(now) || self.device.poll_ready(context).is_ready() {
            self.wants_room &= !has_room;
            return Poll::Ready(());
        }
        self.poll_timer(context, now)
    }
}
