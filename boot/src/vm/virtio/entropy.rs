//! virtio-rng (virtio 1.2, section 5.4), used once, for the seed.

use super::legacy::FIXED_SIZE;
use super::{DeviceError, Identity, Transport, find};
use alloc::boxed::Box;
use core::time::Duration;
use fata_time::{Clock, Instant, MachineClock};
use virtio_drivers::queue::VirtQueue;
use virtio_drivers::transport::{DeviceType, Transport as _};

const QUEUE: u16 = 0;
/// The least that monitors offer; one buffer is in use at a time.
const QUEUE_SIZE: usize = 8;
/// How long the device may take in all. It may be rationed, or give a byte at a time.
const PATIENCE: Duration = Duration::from_secs(1);

bitflags::bitflags! {
    /// Feature bits (section 6).
    #[derive(Clone, Copy, Debug)]
    struct Features: u64 {
        const VERSION_1 = 1 << 32;
        const ACCESS_PLATFORM = 1 << 33;
    }
}

/// Fills `sample` from the machine's entropy device. False if it has none that works.
pub(in super::super) fn entropy<const SIZE: usize>(sample: &mut [u8; SIZE]) -> bool {
    let read = match find(DeviceType::EntropySource) {
        Ok(None) => return false,
        Ok(Some(device)) => read(device.transport, sample),
        Err(error) => Err(error),
    };
    if let Err(error) = &read {
        log::error!(target: "boot", "the virtio-rng device is no source of random numbers: {error}");
    }
    read.is_ok()
}

fn read<const SIZE: usize>(
    mut transport: Transport,
    sample: &mut [u8; SIZE],
) -> Result<(), DeviceError> {
    transport.begin_init(Features::all());
    let most = transport.max_queue_size(QUEUE);
    if most & FIXED_SIZE != 0 && most & !FIXED_SIZE != QUEUE_SIZE as u32 {
        return Err(DeviceError::NoQueue);
    }
    let queue = VirtQueue::<Identity, QUEUE_SIZE>::new(&mut transport, QUEUE, false, false);
    let mut queue = queue.map_err(|_| DeviceError::NoQueue)?;
    queue.set_dev_notify(false);
    transport.finish_init();
    let mut buffer = Box::new([0; SIZE]);
    let deadline = MachineClock.now() + PATIENCE;
    let mut filled = 0;
    while filled < SIZE {
        match request(&mut transport, &mut queue, &mut buffer[..], deadline) {
            Ok(length) => {
                let count = length.min(SIZE - filled);
                sample[filled..][..count].copy_from_slice(&buffer[..count]);
                filled += count;
            }
            Err(error) => {
                // The device may still write to the buffer, and see the queue.
                core::mem::forget((transport, queue, buffer));
                return Err(error);
            }
        }
    }
    // The device lets go of the queue before that is freed.
    drop(transport);
    Ok(())
}

/// Has the device write to `buffer`, which must stay until it has. Returns how many bytes
/// it wrote.
fn request(
    transport: &mut Transport,
    queue: &mut VirtQueue<Identity, QUEUE_SIZE>,
    buffer: &mut [u8],
    deadline: Instant,
) -> Result<usize, DeviceError> {
    // SAFETY: nobody touches the buffer until the token is back, and the caller keeps it
    // for ever if it does not come back.
    let token = unsafe { queue.add(&[], &mut [buffer]) }.map_err(|_| DeviceError::BrokenQueue)?;
    transport.notify(QUEUE);
    while !queue.can_pop() {
        if MachineClock.now() >= deadline {
            return Err(DeviceError::NoAnswer);
        }
        core::hint::spin_loop();
    }
    // SAFETY: this is the buffer that was queued under the token.
    let length = unsafe { queue.pop_used(token, &[], &mut [buffer]) };
    match length.map(|length| length as usize) {
        Ok(length) if (1..=buffer.len()).contains(&length) => Ok(length),
        _ => Err(DeviceError::BrokenQueue),
    }
}
