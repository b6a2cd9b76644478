use alloc::vec::Vec;
use core::hint::black_box;

/// True if so many bytes could be allocated in one piece now.
pub fn has_block(bytes: usize) -> bool {
    let mut block = Vec::<u8>::new();
    let found = block.try_reserve_exact(bytes).is_ok();
    // Otherwise the compiler leaves the allocation out, as nobody uses the block.
    drop(black_box(block));
    found
}

/// True if a table with `length` values of type `T`, and memory for `capacity`, can take one more:
/// one that is full doubles.
pub fn can_grow<T>(length: usize, capacity: usize) -> bool {
    /// Bytes that a table may hold beside each value.
    const BESIDE: usize = 2 * size_of::<usize>();
    length < capacity || has_block(2 * capacity * (size_of::<T>() + BESIDE))
}
