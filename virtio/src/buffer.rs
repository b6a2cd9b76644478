//! The buffers that a queue holds for the device.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use virtio_drivers::BufferDirection;

/// Bytes that the device reads or writes.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    pub(crate) memory: NonNull<[u8]>,
    pub(crate) writable: bool,
}

impl Segment {
    /// Bytes for the device to read.
    pub fn readable(memory: NonNull<[u8]>) -> Self {
        Self {
            memory,
            writable: false,
        }
    }

    /// Bytes for the device to write.
    pub fn writable(memory: NonNull<[u8]>) -> Self {
        Self {
            memory,
            writable: true,
        }
    }

    pub(crate) fn direction(self) -> BufferDirection {
        if self.writable {
            BufferDirection::DeviceToDriver
        } else {
            BufferDirection::DriverToDevice
        }
    }
}

/// A buffer that is handed to the device as one chain of segments.
///
/// # Safety
/// From [`describe`](Self::describe) on, until the value is used in another way than by
/// moving it,
/// - the segments are memory that is valid and initialised, for writing too if they are
///   writable, and that nothing else accesses,
/// - further calls name the same segments in the same order.
pub unsafe trait Buffer {
    /// The most segments that [`describe`](Self::describe) names.
    const SEGMENTS: usize;

    /// Names the segments: first those that the device reads, then those that it writes.
    /// Empty ones are passed over.
    fn describe(&mut self, add: &mut impl FnMut(Segment));
}

/// Memory that stays where it is while its owner moves.
///
/// # Safety
/// The bytes are valid and initialised until the value is used in another way than by moving
/// it; nothing else accesses them, and further calls return the same ones.
pub unsafe trait Memory {
    /// The bytes.
    fn bytes(&mut self) -> NonNull<[u8]>;
}

// SAFETY: the heap block belongs to the box alone and does not move with it.
unsafe impl Memory for Box<[u8]> {
    #[inline(always)]
    fn bytes(&mut self) -> NonNull<[u8]> {
        NonNull::from(&mut **self)
    }
}

// SAFETY: the heap block belongs to the vector alone and does not move with it.
unsafe impl Memory for Vec<u8> {
    #[inline(always)]
    fn bytes(&mut self) -> NonNull<[u8]> {
        NonNull::from(&mut **self)
    }
}

// SAFETY: the heap block belongs to the box alone and does not move with it.
unsafe impl<const N: usize> Memory for Box<Aligned<N>> {
    #[inline(always)]
    fn bytes(&mut self) -> NonNull<[u8]> {
        NonNull::<[u8; N]>::from(&mut self.0)
    }
}

/// Bytes that begin with a cache line.
#[derive(Clone)]
#[repr(C, align(64))]
pub struct Aligned<const N: usize>([u8; N]);

impl<const N: usize> Aligned<N> {
    /// Zeroed bytes on the heap.
    pub fn new() -> Box<Self> {
        Box::new(Self([0; N]))
    }
}

impl<const N: usize> Deref for Aligned<N> {
    type Target = [u8; N];

    fn deref(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> DerefMut for Aligned<N> {
    fn deref_mut(&mut self) -> &mut [u8; N] {
        &mut self.0
    }
}

/// Memory, of which the device gets the first bytes.
#[derive(Debug)]
pub struct Part<M, const WRITABLE: bool> {
    memory: M,
    length: usize,
}

/// Memory whose first bytes the device reads.
pub type Readable<M> = Part<M, false>;

/// Memory whose first bytes the device writes.
pub type Writable<M> = Part<M, true>;

impl<M: Memory, const WRITABLE: bool> Part<M, WRITABLE> {
    /// The first `length` bytes of `memory`, or all of it if it is shorter.
    pub fn new(memory: M, length: usize) -> Self {
        Self { memory, length }
    }

    /// The memory.
    pub fn into_memory(self) -> M {
        self.memory
    }
}

// SAFETY: what `Memory` promises, without anything but moves in between.
unsafe impl<M: Memory, const WRITABLE: bool> Buffer for Part<M, WRITABLE> {
    const SEGMENTS: usize = 1;

    #[inline(always)]
    fn describe(&mut self, add: &mut impl FnMut(Segment)) {
        let bytes = self.memory.bytes();
        let length = self.length.min(bytes.len());
        add(Segment {
            memory: NonNull::slice_from_raw_parts(bytes.cast(), length),
            writable: WRITABLE,
        });
    }
}

// SAFETY: the parts' promises.
unsafe impl<A: Buffer, B: Buffer> Buffer for (A, B) {
    const SEGMENTS: usize = A::SEGMENTS + B::SEGMENTS;

    #[inline(always)]
    fn describe(&mut self, add: &mut impl FnMut(Segment)) {
        self.0.describe(add);
        self.1.describe(add);
    }
}

// SAFETY: the parts' promises.
unsafe impl<A: Buffer, B: Buffer, C: Buffer> Buffer for (A, B, C) {
    const SEGMENTS: usize = A::SEGMENTS + B::SEGMENTS + C::SEGMENTS;

    #[inline(always)]
    fn describe(&mut self, add: &mut impl FnMut(Segment)) {
        self.0.describe(add);
        self.1.describe(add);
        self.2.describe(add);
    }
}
