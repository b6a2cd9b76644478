//! A byte queue in memory that it takes from a pool as it grows.

use super::pool::Pool;
use alloc::boxed::Box;

/// Bytes in order, the first of which leave first. Behind them bytes may lie in store that
/// do not count yet.
///
/// It has no memory while it is empty and was [released](Self::release).
#[derive(Default)]
pub(crate) struct Ring {
    /// Its length is a power of two, or zero.
    memory: Box<[u8]>,
    start: usize,
    length: usize,
}

impl Ring {
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn capacity(&self) -> usize {
        self.memory.len()
    }

    /// Sees to it that `size` bytes fit. Returns whether they do.
    pub(crate) fn reserve(&mut self, size: usize, pool: &mut Pool) -> bool {
        if size <= self.memory.len() {
            return true;
        }
        let Some(mut memory) = pool.take(size) else {
            return false;
        };
        // All of it moves: what is in store, too.
        let (first, second) = self.slices(0, self.memory.len());
        memory[..first.len()].copy_from_slice(first);
        memory[first.len()..][..second.len()].copy_from_slice(second);
        let old = core::mem::replace(&mut self.memory, memory);
        self.start = 0;
        if !old.is_empty() {
            pool.put(old);
        }
        true
    }

    /// Puts bytes in store, `offset` bytes from the first one. They must fit.
    pub(crate) fn store(&mut self, offset: usize, bytes: &[u8]) {
        let place = self.place(offset);
        let (first, second) = bytes.split_at(bytes.len().min(self.memory.len() - place));
        self.memory[place..place + first.len()].copy_from_slice(first);
        self.memory[..second.len()].copy_from_slice(second);
    }

    /// Lets `count` bytes count that are in store behind the others.
    pub(crate) fn extend(&mut self, count: usize) {
        self.length += count;
    }

    /// `count` bytes, `offset` bytes from the first one.
    pub(crate) fn slices(&self, offset: usize, count: usize) -> (&[u8], &[u8]) {
        if count == 0 {
            return (&[], &[]);
        }
        let place = self.place(offset);
        let first = count.min(self.memory.len() - place);
        (
            &self.memory[place..place + first],
            &self.memory[..count - first],
        )
    }

    /// Moves the first bytes to `buffer`. Returns how many.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> usize {
        let count = self.length.min(buffer.len());
        let (first, second) = self.slices(0, count);
        buffer[..first.len()].copy_from_slice(first);
        buffer[first.len()..count].copy_from_slice(second);
        self.consume(count);
        count
    }

    /// Hands its memory over with what is in it. Nothing may be in store.
    pub(crate) fn take(&mut self) -> Lent {
        let lent = Lent {
            memory: core::mem::take(&mut self.memory),
            start: self.start,
            left: self.length,
        };
        (self.start, self.length) = (0, 0);
        lent
    }

    /// Drops the first `count` bytes.
    pub(crate) fn consume(&mut self, count: usize) {
        self.length -= count;
        self.start = self.place(count);
    }

    /// Gives the memory back. Nothing may be left in it that is needed.
    pub(crate) fn release(&mut self, pool: &mut Pool) {
        self.start = 0;
        self.length = 0;
        let memory = core::mem::take(&mut self.memory);
        if !memory.is_empty() {
            pool.put(memory);
        }
    }

    fn place(&self, offset: usize) -> usize {
        (self.start + offset) & self.memory.len().wrapping_sub(1)
    }
}

/// Bytes that were received, in memory that somebody reads in place and then gives back.
pub struct Lent {
    memory: Box<[u8]>,
    start: usize,
    left: usize,
}

impl Lent {
    /// The first `left` bytes of `memory`.
    pub(super) fn new(memory: Box<[u8]>, left: usize) -> Self {
        Self {
            memory,
            start: 0,
            left,
        }
    }

    /// The next bytes: none once all were consumed, else at least one.
    pub fn bytes(&self) -> &[u8] {
        let end = self.memory.len().min(self.start + self.left);
        &self.memory[self.start..end]
    }

    /// Goes on behind the next `count` bytes.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn consume(&mut self, count: usize) {
        assert!(
            count <= self.bytes().len(),
            "more is consumed than was read"
        );
        self.left -= count;
        self.start += count;
        if self.start == self.memory.len() {
            self.start = 0;
        }
    }

    /// Gives the memory back.
    pub fn release(self, pool: &mut Pool) {
        pool.put(self.memory);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn what_goes_in_comes_out(steps in proptest::collection::vec((0usize..5_000, 0usize..5_000), 1..30)) {
            let mut pool = Pool::new(crate::Unlimited, 1 << 20);
            let (mut ring, mut model, mut next) = (Ring::default(), Vec::new(), 0u8);
            for (written, read) in steps {
                let bytes: Vec<u8> = (0..written).map(|_| { next = next.wrapping_add(7); next }).collect();
                prop_assert!(ring.reserve(ring.len() + written + 1, &mut pool));
                // In two parts, the later one first.
                let (first, second) = bytes.split_at(written / 2);
                ring.store(ring.len() + first.len(), second);
                ring.store(ring.len(), first);
                ring.extend(written);
                model.extend(bytes);
                let mut buffer = vec![0; read];
                let count = ring.read(&mut buffer);
                prop_assert_eq!(&buffer[..count], &model[..count]);
                model.drain(..count);
                prop_assert_eq!(ring.len(), model.len());
                let (first, second) = ring.slices(0, ring.len());
                prop_assert_eq!([first, second].concat(), model.clone());
            }
            ring.release(&mut pool);
            prop_assert_eq!(pool.used(), 0);
        }
    }
}
