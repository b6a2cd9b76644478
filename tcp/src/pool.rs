//! The memory of all connections' buffers: a few sizes, used again, and never more than a
//! bound.

use crate::Quota;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

/// Buffers have this many bytes, or twice as many, or four times and so on.
const SMALLEST: usize = 2 * 1024;
const CLASSES: usize = 11;
/// So much is kept for the next taker in any case.
const LITTLE: usize = 4 * SMALLEST;
/// Bytes of the largest buffers.
pub const LARGEST_BUFFER: usize = SMALLEST << (CLASSES - 1);

/// Buffers that connections take and give back.
///
/// Those that came back are kept for the next taker, up to an eighth of the bound. Near the
/// bound only the smallest buffers can be had, so that connections that go on have
/// something to go on with. The bound is lower while other parts of the program hold what the
/// quota does not keep for it.
pub struct Pool {
    free: [Vec<Box<[u8]>>; CLASSES],
    /// Bytes that connections hold.
    used: usize,
    /// Bytes that nobody holds.
    spare: usize,
    limit: usize,
    /// Somebody has asked in vain.
    has_refused: bool,
    /// The program's memory, of which the pool holds buffers in use and spare ones.
    quota: Box<dyn Quota>,
}

impl Pool {
    /// A pool of at most `limit` bytes of `quota`.
    pub fn new(quota: impl Quota + 'static, limit: usize) -> Self {
        Self {
            free: Default::default(),
            used: 0,
            spare: 0,
            limit,
            has_refused: false,
            quota: Box::new(quota),
        }
    }

    /// The bound as it is now.
    fn bound(&self) -> usize {
        let held = self.used + self.spare;
        self.limit.min(held.saturating_add(self.quota.room()))
    }

    /// Bytes in buffers that connections hold.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Returns whether so much is in use that no new connection should be taken in.
    pub fn is_scarce(&self) -> bool {
        let bound = self.bound();
        self.used > bound - bound / 8
    }

    /// Returns whether at most half of the memory is in use after `size` bytes more are.
    pub fn is_ample(&self, size: usize) -> bool {
        self.used + size <= self.bound() / 2
    }

    /// Returns whether somebody has asked in vain since the last call.
    pub fn take_refusal(&mut self) -> bool {
        mem::take(&mut self.has_refused)
    }

    /// A buffer of at least `size` bytes. Its content is arbitrary.
    pub fn take(&mut self, size: usize) -> Option<Box<[u8]>> {
        let class = class(size)?;
        let buffer = self.try_take(class);
        self.has_refused |= buffer.is_none() && class == 0;
        buffer
    }

    fn try_take(&mut self, class: usize) -> Option<Box<[u8]>> {
        let size = SMALLEST << class;
        // Larger buffers than the smallest have to leave a quarter of the memory.
        if class > 0 {
            let bound = self.bound();
            if self.used + size > bound - bound / 4 {
                return None;
            }
        }
        let buffer = match self.free[class].pop() {
            Some(buffer) => {
                self.spare -= size;
                buffer
            }
            None => self.allocate(size)?,
        };
        self.used += size;
        Some(buffer)
    }

    /// A buffer that nobody has used yet.
    fn allocate(&mut self, size: usize) -> Option<Box<[u8]>> {
        let bound = self.bound();
        if self.used + self.spare + size > bound {
            self.drop_spare();
        }
        if self.used + size > bound || !self.quota.try_resize(self.used + self.spare + size) {
            return None;
        }
        let allocated = allocate(size);
        if allocated.is_none() {
            self.quota.try_resize(self.used + self.spare);
        }
        allocated
    }

    /// Takes a buffer back.
    pub fn put(&mut self, buffer: Box<[u8]>) {
        let size = buffer.len();
        let Some(class) = class(size) else {
            return;
        };
        self.used -= size;
        let spare = self.spare + size;
        if spare <= LITTLE.min(self.limit / 8) || spare <= self.bound() / 8 {
            self.spare += size;
            self.free[class].push(buffer);
        } else {
            drop(buffer);
            self.quota.try_resize(self.used + self.spare);
        }
    }

    /// Gives memory back that nobody holds, but for a little, after all connections have
    /// ended.
    pub fn trim(&mut self) {
        if self.spare > LITTLE {
            self.drop_spare();
        }
    }

    fn drop_spare(&mut self) {
        self.free = Default::default();
        self.spare = 0;
        self.quota.try_resize(self.used);
    }
}

/// The class of the buffers that hold `size` bytes; none for nothing or too much.
fn class(size: usize) -> Option<usize> {
    let multiple = size.div_ceil(SMALLEST).next_power_of_two();
    let class = multiple.trailing_zeros() as usize;
    (size > 0 && class < CLASSES).then_some(class)
}

/// Zeroed memory, if there is so much.
fn allocate(size: usize) -> Option<Box<[u8]>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size).ok()?;
    bytes.resize(size, 0);
    Some(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Unlimited;

    #[test]
    fn buffers_are_used_again_and_bounded() {
        let mut pool = Pool::new(Unlimited, 64 * 1024);
        let first = pool.take(1).expect("there is memory");
        assert_eq!((first.len(), pool.used()), (2_048, 2_048));
        let place = first.as_ptr();
        pool.put(first);
        let again = pool.take(2_048).expect("the same");
        assert_eq!(again.as_ptr(), place);
        assert_eq!(pool.take(3_000).map(|buffer| buffer.len()), Some(4_096));
        assert!(pool.take(64 * 1024).is_none());
        assert!(pool.take(0).is_none() && pool.take(1 << 30).is_none());
    }

    #[test]
    fn near_the_bound_there_are_only_smallest_buffers() {
        let mut pool = Pool::new(Unlimited, 64 * 1024);
        let large: Vec<_> = core::iter::from_fn(|| pool.take(8_192)).collect();
        assert_eq!(large.len(), 6);
        assert!(!pool.is_scarce());
        let small: Vec<_> = core::iter::from_fn(|| pool.take(1)).collect();
        assert_eq!((small.len(), pool.used()), (8, 64 * 1024));
        assert!(pool.is_scarce());
        for buffer in large.into_iter().chain(small) {
            pool.put(buffer);
        }
        assert_eq!((pool.used(), pool.spare), (0, 8 * 1024));
        pool.drop_spare();
        assert_eq!(pool.spare, 0);
    }
}
