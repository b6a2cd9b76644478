//! The reserve of a heap, so that an allocation finds a block where free memory is in pieces.
//!
//! A budget counts bytes. It cannot know whether they are free in one piece, and a program allocates
//! more than what it asked the budget for. So a part of the heap is held back in blocks. The heap
//! takes from them what it finds nowhere else, and holds blocks back again when memory comes back.
//! While half of them are missing, the budget leases nothing.

use core::alloc::Layout;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU8, Ordering};

/// Bytes of the blocks: more than what handlers, tables and buffers take in one piece.
pub(super) const CHUNK: usize = 64 << 10;
/// Smaller blocks are held back where there are no such ones, but none that are smaller than this.
const LEAST: usize = 8 << 10;
/// One of so many parts of the heap is set aside.
const PART: usize = 16;
/// No more bytes than that.
const MOST: usize = 512 << 10;
/// Most blocks.
const BLOCKS: usize = 64;

/// The state of the reserve.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum State {
    /// The heap is too small for one, or its allocator has none, or it has just started.
    Absent,
    /// Half of it at least.
    Full,
    /// Less.
    Low,
}

static STATE: AtomicU8 = AtomicU8::new(State::Absent as u8);

pub(super) fn state() -> State {
    const FULL: u8 = State::Full as u8;
    const LOW: u8 = State::Low as u8;
    match STATE.load(Ordering::Relaxed) {
        FULL => State::Full,
        LOW => State::Low,
        _ => State::Absent,
    }
}

/// A block that was allocated, and its layout.
pub(super) type Block = (NonNull<u8>, Layout);

pub(super) struct Reserve {
    blocks: [Option<Block>; BLOCKS],
    count: usize,
    /// Bytes that are held.
    held: usize,
    wanted: usize,
}

impl Reserve {
    pub(super) const NONE: Self = Self {
        blocks: [None; BLOCKS],
        count: 0,
        held: 0,
        wanted: 0,
    };

    /// The heap has so many bytes more.
    pub(super) fn grow(&mut self, bytes: usize) {
        let part = bytes / PART / CHUNK * CHUNK;
        self.wanted = (self.wanted + part).min(MOST);
    }

    pub(super) fn is_short(&self) -> bool {
        self.held < self.wanted && self.count < BLOCKS
    }

    /// The layouts to hold back, the best first, after a block of `bytes` has come back.
    pub(super) fn layouts(bytes: usize) -> impl Iterator<Item = Layout> {
        let smaller = (LEAST..CHUNK).contains(&bytes).then_some(bytes);
        let sizes = [Some(CHUNK), smaller].into_iter().flatten();
        sizes.filter_map(|size| Layout::from_size_align(size, 16).ok())
    }

    pub(super) fn push(&mut self, block: Block) {
        self.blocks[self.count] = Some(block);
        self.count += 1;
        self.held += block.1.size();
        // Until it is full for the first time, nothing has come from it.
        self.publish(state());
    }

    /// The smallest block that holds `layout`, or any if none does.
    pub(super) fn pop(&mut self, layout: Layout) -> Option<Block> {
        let size = |block: &Option<Block>| block.map_or(0, |(_, held)| held.size());
        let holds = |index: &usize| size(&self.blocks[*index]) >= layout.size();
        let smallest = (0..self.count)
            .filter(holds)
            .min_by_key(|index| size(&self.blocks[*index]));
        let last = self.count.checked_sub(1)?;
        self.blocks.swap(smallest.unwrap_or(last), last);
        self.count = last;
        let block = self.blocks[last].take()?;
        self.held -= block.1.size();
        self.publish(State::Low);
        Some(block)
    }

    /// Takes note of what there is, at least a half or less than that.
    fn publish(&self, less: State) {
        let state = match 2 * self.held < self.wanted {
            true => less,
            false => State::Full,
        };
        STATE.store(state as u8, Ordering::Relaxed);
    }
}
