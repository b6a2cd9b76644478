//! virtio-rng (virtio 1.2, section 5.4), polled, for seeds.

use super::legacy::FIXED_SIZE;
use super::{DeviceError, Identity, Transport, find};
use crate::platform::entropy::SAMPLE;
use alloc::boxed::Box;
use core::time::Duration;
use fata_time::{Clock, Instant, MachineClock};
use virtio_drivers::queue::VirtQueue;
use virtio_drivers::transport::{DeviceType, Transport as _};

const QUEUE: u16 = 0;
/// The least that monitors offer; one buffer is in use at a time.
const QUEUE_SIZE: usize = 8;

bitflags::bitflags! {
    /// Feature bits (section 6).
    #[derive(Clone, Copy, Debug)]
    struct Features: u64 {
        const VERSION_1 = 1 << 32;
        const ACCESS_PLATFORM = 1 << 33;
    }
}

/// The machine's entropy device. It stays open, as it is asked again for each new seed.
pub(in super::super) struct Entropy {
    transport: Transport,
    queue: VirtQueue<Identity, QUEUE_SIZE>,
    /// The device writes to it while it has a request.
    buffer: Box<[u8; SAMPLE]>,
    /// How much of the buffer it has filled.
    filled: usize,
    /// The request that it has.
    token: Option<u16>,
}

// SAFETY: there is one core, and any of its code may use the device and the memory that it shares.
unsafe impl Send for Entropy {}

impl Entropy {
    /// The machine's device, or `None` if it has none that works.
    pub(in super::super) fn find() -> Option<Self> {
        let found = find(DeviceType::EntropySource);
        let opened =
            found.and_then(|found| found.map(|device| Self::open(device.transport)).transpose());
        opened.map_err(Self::tell).ok().flatten()
    }

    fn open(mut transport: Transport) -> Result<Self, DeviceError> {
        transport.begin_init(Features::all());
        let most = transport.max_queue_size(QUEUE);
        if most & FIXED_SIZE != 0 && most & !FIXED_SIZE != QUEUE_SIZE as u32 {
            return Err(DeviceError::NoQueue);
        }
        let queue = VirtQueue::<Identity, QUEUE_SIZE>::new(&mut transport, QUEUE, false, false);
        let mut queue = queue.map_err(|_| DeviceError::NoQueue)?;
        queue.set_dev_notify(false);
        transport.finish_init();
        Ok(Self {
            transport,
            queue,
            buffer: Box::new([0; SAMPLE]),
            filled: 0,
            token: None,
        })
    }

    /// Fills `sample` with what the device gives within `patience`. Returns false if that is too
    /// little: it is kept for the next call.
    ///
    /// # Errors
    /// [`DeviceError`] if the device is not to be used any more: [forget](Self::forget) it.
    pub(in super::super) fn fill(
        &mut self,
        sample: &mut [u8; SAMPLE],
        patience: Duration,
    ) -> Result<bool, DeviceError> {
        let deadline = MachineClock.now() + patience;
        while self.filled < SAMPLE {
            if !self.read(deadline)? {
                return Ok(false);
            }
        }
        self.filled = 0;
        *sample = *self.buffer;
        Ok(true)
    }

    /// Has the device fill more of the buffer. Returns whether it has by then.
    fn read(&mut self, deadline: Instant) -> Result<bool, DeviceError> {
        let rest = &mut self.buffer[self.filled..];
        let token = match self.token {
            Some(token) => token,
            None => {
                // SAFETY: nobody touches the rest of the buffer until the token is back, and it
                // stays: the transport, which is dropped before it, resets the device.
                let token = unsafe { self.queue.add(&[], &mut [&mut *rest]) };
                let token = token.map_err(|_| DeviceError::BrokenQueue)?;
                self.token = Some(token);
                self.transport.notify(QUEUE);
                token
            }
        };
        while !self.queue.can_pop() {
            if MachineClock.now() >= deadline {
                return Ok(false);
            }
            core::hint::spin_loop();
        }
        // SAFETY: this is the part of the buffer that was queued under the token.
        let length = unsafe { self.queue.pop_used(token, &[], &mut [&mut *rest]) };
        match length.map(|length| length as usize) {
            Ok(length) if (1..=rest.len()).contains(&length) => {
                self.token = None;
                self.filled += length;
                Ok(true)
            }
            _ => Err(DeviceError::BrokenQueue),
        }
    }

    /// Forgets a device that is not to be trusted: it may still write to the buffer, and see the
    /// queue, so both stay for ever.
    pub(in super::super) fn forget(self, error: DeviceError) {
        Self::tell(error);
        core::mem::forget(self);
    }

    /// Says why the device gives nothing.
    pub(in super::super) fn tell(error: DeviceError) {
        log::error!(target: "boot", "the virtio-rng device is no source of random numbers: {error}");
    }
}
