//! The memory of frames: small buffers for what fits the MTU, large ones for bulk data.

use crate::LARGEST_FRAME;
use crate::virtio_net_header as header;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Memory for a header and a frame.
pub(super) type Buffer = Box<[u8]>;

/// The longest header, 1,518 bytes of frame, and a multiple of a cache line.
pub(super) const SMALL: usize = 1_536;
/// The longest header and the largest frame, and a multiple of a cache line.
pub(super) const LARGE: usize = (header::LONG + LARGEST_FRAME).next_multiple_of(64);

/// A zeroed buffer, if there is memory for it.
pub(super) fn allocate(size: usize) -> Option<Buffer> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size).ok()?;
    bytes.resize(size, 0);
    Some(bytes.into())
}

/// Buffers of one size that can be filled. They are allocated when they are first needed.
pub(super) struct Pool {
    free: Vec<Buffer>,
    unallocated: u16,
    size: usize,
}

impl Pool {
    /// At most `count` buffers of `size` bytes.
    pub(super) fn new(count: u16, size: usize) -> Self {
        Self {
            free: Vec::with_capacity(count.into()),
            unallocated: count,
            size,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.left() == 0
    }

    /// How many buffers can be taken, as long as there is memory.
    pub(super) fn left(&self) -> usize {
        self.free.len() + usize::from(self.unallocated)
    }

    pub(super) fn take(&mut self) -> Option<Buffer> {
        self.free.pop().or_else(|| {
            self.unallocated = self.unallocated.checked_sub(1)?;
            let buffer = allocate(self.size);
            self.unallocated += u16::from(buffer.is_none());
            buffer
        })
    }

    pub(super) fn put(&mut self, buffer: Buffer) {
        self.free.push(buffer);
    }
}
