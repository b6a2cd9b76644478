use crate::home::heap;
use alloc::vec::Vec;
use core::hint::black_box;
use fata_memory::{Budget, Part, Share};

/// One of so many parts of the heap is no lease's: for what takes none, and for the room between
/// blocks.
const SYSTEM: usize = 6;
/// While less than one of so many parts of the heap is free, nothing is leased: somebody holds
/// more than was promised.
const RESERVE: usize = 8;
/// One of so many parts of the heap has to be free in one piece.
const BLOCK: usize = 64;
/// One of so many parts of the budget is kept for the buffers of connections.
const NETWORK: usize = 8;

/// The memory that the program's parts may hold for what comes from outside: that of a machine is
/// what is free of its heap, that of a process has no bound.
pub(crate) fn budget() -> Budget {
    let Some(total) = heap::total() else {
        return Budget::unbounded();
    };
    let limit = free().saturating_sub(total / SYSTEM);
    let network = Share {
        floor: limit / NETWORK,
        most: limit / 2,
    };
    Budget::new(limit)
        .with_share(Part::Network, network)
        .with_gauge(total / RESERVE, free)
}

/// Bytes that are free, if there is a block of some size among them: free memory in pieces that
/// are too small for anything is of no use.
fn free() -> usize {
    let total = heap::total().unwrap_or(usize::MAX);
    let free = total.saturating_sub(heap::used());
    let is_ample = free > total / 3;
    if is_ample || has_block(total / BLOCK) {
        free
    } else {
        0
    }
}

fn has_block(bytes: usize) -> bool {
    let mut block = Vec::<u8>::new();
    let found = block.try_reserve_exact(bytes).is_ok();
    // Otherwise the compiler leaves the allocation out, as nobody uses the block.
    black_box(block);
    found
}
