//! A queue with one buffer, which is either the driver's or the device's.

use alloc::boxed::Box;
use core::ptr::NonNull;
use core::sync::atomic::{Ordering, fence};
use virtio_drivers::queue::VirtQueue;
use virtio_drivers::transport::Transport;
use virtio_drivers::{Error, Hal};

/// Bytes of the buffer.
pub(super) const SIZE: usize = 512;
/// The smallest queue that every device has.
const QUEUE_SIZE: usize = 2;

/// The device broke the rules of its queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken;

/// Which way the buffer's content goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    ToDevice { length: usize },
    FromDevice,
}

/// Drop it only after the device was reset: it may write to the buffer until then.
pub(super) struct Lane<H: Hal> {
    queue: VirtQueue<H, QUEUE_SIZE>,
    number: u16,
    buffer: NonNull<[u8; SIZE]>,
    /// How the device has the buffer, if it has it.
    lent: Option<(u16, Direction)>,
}

impl<H: Hal> Lane<H> {
    pub(super) fn new<T: Transport>(transport: &mut T, number: u16) -> Result<Self, Error> {
        Ok(Self {
            queue: VirtQueue::new(transport, number, false, false)?,
            number,
            buffer: NonNull::from(Box::leak(Box::new([0; SIZE]))),
            lent: None,
        })
    }

    pub(super) fn is_lent(&self) -> bool {
        self.lent.is_some()
    }

    /// Has the device send a copy of `bytes`, as many as fit. Returns how many those are;
    /// none while the device has the buffer.
    pub(super) fn send<T: Transport>(
        &mut self,
        transport: &mut T,
        bytes: &[u8],
    ) -> Result<usize, Broken> {
        let length = bytes.len().min(SIZE);
        if self.is_lent() || length == 0 {
            return Ok(0);
        }
        // SAFETY: the buffer lives, and is not lent, so nothing else refers to it.
        let buffer = unsafe { self.buffer.as_mut() };
        buffer[..length].copy_from_slice(&bytes[..length]);
        // SAFETY: lent from here on, the buffer stays untouched until its token is back.
        let token = unsafe { self.queue.add(&[&buffer[..length]], &mut []) };
        self.lend(transport, token, Direction::ToDevice { length })?;
        Ok(length)
    }

    /// Has the device fill the buffer, unless it has it already.
    pub(super) fn receive<T: Transport>(&mut self, transport: &mut T) -> Result<(), Broken> {
        if self.is_lent() {
            return Ok(());
        }
        // SAFETY: the buffer lives, and is not lent, so nothing else refers to it.
        let buffer = unsafe { self.buffer.as_mut() };
        // SAFETY: lent from here on, the buffer stays untouched until its token is back.
        let token = unsafe { self.queue.add(&[], &mut [&mut buffer[..]]) };
        self.lend(transport, token, Direction::FromDevice)
    }

    fn lend<T: Transport>(
        &mut self,
        transport: &mut T,
        token: Result<u16, Error>,
        direction: Direction,
    ) -> Result<(), Broken> {
        self.lent = Some((token.map_err(|_| Broken)?, direction));
        // The device must see the new entry before its wish for a notification is read
        // (section 2.7.13.4.1): a store, then a load, which x86 may turn round.
        fence(Ordering::SeqCst);
        if self.queue.should_notify() {
            transport.notify(self.number);
        }
        Ok(())
    }

    /// Takes the buffer back if the device is done with it. Returns what the device has
    /// written to it.
    pub(super) fn take_back(&mut self) -> Result<Option<&[u8]>, Broken> {
        let Some((token, direction)) = self.lent.filter(|_| self.queue.can_pop()) else {
            return Ok(None);
        };
        // SAFETY: the queue takes the address only.
        let buffer = unsafe { self.buffer.as_mut() };
        // SAFETY: the same part of the same buffer was queued under the token.
        let written = unsafe {
            match direction {
                Direction::ToDevice { length } => {
                    self.queue.pop_used(token, &[&buffer[..length]], &mut [])
                }
                Direction::FromDevice => self.queue.pop_used(token, &[], &mut [&mut buffer[..]]),
            }
        };
        let written = written.map_err(|_| Broken)? as usize;
        self.lent = None;
        match direction {
            Direction::ToDevice { .. } => Ok(Some(&[])),
            Direction::FromDevice => buffer.get(..written).map(Some).ok_or(Broken),
        }
    }
}

impl<H: Hal> Drop for Lane<H> {
    fn drop(&mut self) {
        // SAFETY: it came out of a box, and whoever drops this has reset the device.
        drop(unsafe { Box::from_raw(self.buffer.as_ptr()) });
    }
}
