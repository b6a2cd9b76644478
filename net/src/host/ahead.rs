//! Bytes read ahead.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// Bytes that are read from the host at a time.
const SIZE: usize = 64 * 1024;

/// Bytes of a stream that were read before somebody took them. It has no memory until it is
/// first used.
#[derive(Default)]
pub(super) struct Ahead {
    memory: Vec<u8>,
    unread: Range<usize>,
}

impl Ahead {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.memory[self.unread.clone()]
    }

    /// Where to read more to, once there are none.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.memory.is_empty() {
            self.memory = vec![0; SIZE];
        }
        &mut self.memory
    }

    /// Notes that `count` bytes were read there.
    pub(super) fn filled(&mut self, count: usize) {
        self.unread = 0..count;
    }

    /// Goes on behind the next `count` bytes.
    ///
    /// # Panics
    /// If there are fewer.
    pub(super) fn consume(&mut self, count: usize) {
        assert!(count <= self.unread.len(), "more is consumed than was read");
        self.unread.start += count;
    }

    /// Moves bytes to `buffer`, if there are any. Returns how many.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> usize {
        let count = self.unread.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.bytes()[..count]);
        self.consume(count);
        count
    }
}
