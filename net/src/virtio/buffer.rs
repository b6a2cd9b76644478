//! Buffers that belong to the driver or, for a time, to the device.

use alloc::boxed::Box;
use core::ptr::NonNull;
use core::slice;

/// Memory for a header and a frame.
#[repr(C, align(64))]
pub(super) struct Buffer([u8; Self::SIZE]);

impl Buffer {
    /// Bytes: the largest header, 1,514 bytes of frame, and a multiple of a cache line.
    pub(super) const SIZE: usize = 1_536;

    pub(super) fn new() -> Box<Self> {
        Box::new(Self([0; Self::SIZE]))
    }

    /// The header's bytes, and `length` bytes of frame behind them.
    pub(super) fn split(&mut self, header: usize, length: usize) -> (&mut [u8], &mut [u8]) {
        self.0[..header + length].split_at_mut(header)
    }
}

/// A buffer in the device's hands. Nothing refers to its content until it is back.
pub(super) struct Lent {
    buffer: NonNull<Buffer>,
    /// How many bytes of it the device was given.
    length: usize,
}

impl Lent {
    pub(super) fn new(buffer: Box<Buffer>, length: usize) -> Self {
        debug_assert!(length <= Buffer::SIZE);
        Self {
            buffer: NonNull::from(Box::leak(buffer)),
            length,
        }
    }

    /// What the device was given, to name it to the queue.
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: the buffer lives, and is at least that long.
        unsafe { slice::from_raw_parts(self.buffer.as_ptr().cast(), self.length) }
    }

    /// What the device was given, to name it to the queue.
    #[allow(clippy::mut_from_ref, reason = "the queue takes the address only")]
    pub(super) fn bytes_mut(&self) -> &mut [u8] {
        // SAFETY: the buffer lives, is at least that long, and nothing else refers to it.
        unsafe { slice::from_raw_parts_mut(self.buffer.as_ptr().cast(), self.length) }
    }

    /// Takes the buffer back.
    ///
    /// # Safety
    /// The device has let go of it.
    pub(super) unsafe fn into_buffer(self) -> Box<Buffer> {
        let buffer = self.buffer;
        core::mem::forget(self);
        // SAFETY: it came out of a box, and nothing else has it.
        unsafe { Box::from_raw(buffer.as_ptr()) }
    }
}

impl Drop for Lent {
    /// Frees the buffer. The driver drops lent buffers only after it has reset the device.
    fn drop(&mut self) {
        // SAFETY: it came out of a box, and nothing else has it.
        drop(unsafe { Box::from_raw(self.buffer.as_ptr()) });
    }
}

/// A received frame in one of the card's buffers.
pub struct ReceivedFrame {
    buffer: Box<Buffer>,
    start: usize,
    end: usize,
}

impl ReceivedFrame {
    /// The frame between the header and `length`, which is the device's word.
    pub(super) fn new(buffer: Box<Buffer>, header: usize, length: usize) -> Self {
        Self {
            buffer,
            start: header,
            end: length.clamp(header, Buffer::SIZE),
        }
    }

    pub(super) fn into_buffer(self) -> Box<Buffer> {
        self.buffer
    }
}

impl AsRef<[u8]> for ReceivedFrame {
    fn as_ref(&self) -> &[u8] {
        &self.buffer.0[self.start..self.end]
    }
}
