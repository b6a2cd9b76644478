//! Split virtqueues (virtio 1.2, section 2.7) for Fata's drivers of virtio devices.
//!
//! - [`Device`] sets a device up over any [`Transport`] and resets it in the end.
//! - [`SplitQueue`] hands buffers to the device, a batch at a time, and takes them back.
//! - [`Readable`], [`Writable`] and tuples of them are buffers that it takes; others
//!   implement [`Buffer`].
//! - [`BusyPoll`] tells a driver whether to poll again before it waits for an interrupt.
//!
//! Drivers need no `unsafe`: a buffer belongs to its queue until the device returns it, and
//! the memory of queues and buffers is freed only once the device was reset.
//!
//! The device is not trusted. Memory that it can write to is read once and checked before it is
//! used, all other state is out of its reach, and after a violation the queue only returns
//! its error. Without an IOMMU, nothing helps against a device that writes to memory that
//! it was not given, or no longer. The transport and the [`Hal`] are trusted.
//!
//! [`Hal`]: virtio_drivers::Hal
//! [`Transport`]: virtio_drivers::transport::Transport
#![no_std]

extern crate alloc;
#[cfg(any(test, feature = "fake"))]
extern crate std;

#[cfg(not(target_endian = "little"))]
compile_error!("the queues' fields are little-endian; this processor is not");

mod access;
mod buffer;
mod busy_poll;
mod device;
mod dma;
mod error;
#[cfg(any(test, feature = "fake"))]
pub mod fake;
mod port;
mod queue;
mod rings;
mod shared;

pub use buffer::{Aligned, Buffer, Memory, Part, Readable, Segment, Writable};
pub use busy_poll::BusyPoll;
pub use device::Device;
pub use error::{QueueError, Rejected, SetUpError};
pub use queue::{SplitQueue, Used};
pub use shared::{FIXED_SIZE, feature};
