//! The measurements of each allocator.

use crate::contestants::{Contestant, Nothing};
use crate::trace::Operation;
use alloc::vec;
use alloc::vec::Vec;
use core::alloc::Layout;
use core::ptr;

const PAGE: usize = 4096;
/// The most that a heap may need for itself: its arena may be so many times what lives.
const MOST_OVERHEAD: usize = 4;
/// Blocks with which a heap is fragmented; every other one is given back.
const FRAGMENTS: usize = 100_000;
/// Bytes of the smallest of them. There are as many of each of the next powers of two.
const SMALLEST: usize = 16;
const POWERS: u64 = 9;
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// Memory for a heap.
pub struct Arena {
    memory: Vec<u8>,
}

impl Arena {
    /// Memory that was written once, so that a host does not have to find it later.
    pub fn new(size: usize) -> Self {
        Self {
            memory: vec![0xff; size + PAGE],
        }
    }

    /// A heap in the first `size` bytes.
    fn heap<C: Contestant>(&mut self, size: usize) -> C {
        let start = self.start();
        assert!(size <= self.size());
        // SAFETY: the memory is there, and the arena makes one heap after the other.
        unsafe { C::new(start, size) }
    }

    fn start(&mut self) -> *mut u8 {
        let start = self.memory.as_mut_ptr();
        start.wrapping_add(start.align_offset(PAGE))
    }

    fn size(&self) -> usize {
        self.memory.len() - PAGE
    }
}

/// A block, or null.
#[derive(Clone, Copy)]
struct Block {
    start: *mut u8,
    layout: Layout,
}

const NONE: Block = Block {
    start: ptr::null_mut(),
    layout: Layout::new::<u8>(),
};

/// A program's operations, and room for its blocks.
pub struct Trace {
    operations: Vec<Operation>,
    blocks: Vec<Block>,
    /// The most bytes that lived at a time.
    pub peak: usize,
}

impl Trace {
    pub fn new(operations: Vec<Operation>) -> Self {
        let (mut live, mut peak) = (0, 0);
        let mut sizes = Vec::new();
        for operation in &operations {
            let (block, size) = match *operation {
                Operation::Allocate { block, size, .. } | Operation::Resize { block, size } => {
                    (block as usize, size as usize)
                }
                Operation::Free { block } => (block as usize, 0),
            };
            sizes.resize(sizes.len().max(block + 1), 0);
            live = live + size - core::mem::replace(&mut sizes[block], size);
            peak = peak.max(live);
        }
        Self {
            operations,
            blocks: vec![NONE; sizes.len()],
            peak,
        }
    }

    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Ticks that a replay takes without an allocator: the median of `rounds`.
    pub fn cost(&mut self, rounds: usize, now: impl Fn() -> u64) -> u64 {
        let mut block = 0;
        median(rounds, || self.time(&mut Nothing(&raw mut block), &now))
    }

    /// Does what the program did. False if no memory was left for it.
    fn replay<C: Contestant>(&mut self, heap: &mut C) -> bool {
        for operation in &self.operations {
            // SAFETY: the program kept the heap's contract, and so do its operations.
            let start = unsafe {
                match *operation {
                    Operation::Allocate { block, size, align } => {
                        let layout =
                            Layout::from_size_align_unchecked(size as usize, align as usize);
                        let block = &mut self.blocks[block as usize];
                        *block = Block {
                            start: heap.allocate(layout),
                            layout,
                        };
                        block.start
                    }
                    Operation::Resize { block, size } => {
                        let block = &mut self.blocks[block as usize];
                        let start = heap.resize(block.start, block.layout, size as usize);
                        if !start.is_null() {
                            block.start = start;
                            block.layout = Layout::from_size_align_unchecked(
                                size as usize,
                                block.layout.align(),
                            );
                        }
                        start
                    }
                    Operation::Free { block } => {
                        let block = &mut self.blocks[block as usize];
                        heap.free(block.start, block.layout);
                        core::mem::replace(&mut block.start, ptr::null_mut())
                    }
                }
            };
            if start.is_null() {
                return false;
            }
        }
        true
    }

    /// Frees what the program had not given back.
    fn end<C: Contestant>(&mut self, heap: &mut C) {
        for block in &mut self.blocks {
            if !block.start.is_null() {
                // SAFETY: the block came from there, and goes back once.
                unsafe { heap.free(block.start, block.layout) };
                block.start = ptr::null_mut();
            }
        }
    }

    /// Ticks of a clock for the whole trace.
    fn time<C: Contestant>(&mut self, heap: &mut C, now: impl Fn() -> u64) -> u64 {
        let start = now();
        let survived = self.replay(heap);
        let ticks = now() - start;
        assert!(survived, "{} ran out of memory", C::NAME);
        self.end(heap);
        ticks
    }
}

/// The figures of an allocator.
pub struct Figures {
    /// Ticks of the trace on a new heap.
    pub fresh: u64,
    /// Ticks of the trace on a fragmented heap.
    pub fragmented: u64,
    /// Bytes of the smallest arena in which the trace can be replayed, in whole pages.
    pub least: usize,
    /// From the arena's start to the highest block, of the heap that was to be fragmented.
    pub reached: usize,
    /// Bytes that lived in it.
    pub live: usize,
}

/// Measures an allocator, times as the median of `rounds`.
pub fn measure<C: Contestant>(
    arena: &mut Arena,
    trace: &mut Trace,
    rounds: usize,
    now: impl Fn() -> u64,
) -> Figures {
    let size = arena.size();
    let fresh = median(rounds, || trace.time(&mut arena.heap::<C>(size), &now));
    let least = least::<C>(arena, trace);
    let start = arena.start().addr();
    let mut heap = arena.heap::<C>(size);
    let (end, live) = fragment(&mut heap);
    let fragmented = median(rounds, || trace.time(&mut heap, &now));
    Figures {
        fresh,
        fragmented,
        least,
        reached: end - start,
        live,
    }
}

fn median(rounds: usize, measure: impl FnMut() -> u64) -> u64 {
    let mut all: Vec<u64> = core::iter::repeat_with(measure).take(rounds).collect();
    all.sort_unstable();
    all[rounds / 2]
}

/// The smallest arena in which the trace can be replayed.
fn least<C: Contestant>(arena: &mut Arena, trace: &mut Trace) -> usize {
    let (mut too_few, mut enough) = (trace.peak / PAGE, MOST_OVERHEAD * trace.peak / PAGE);
    while enough - too_few > 1 {
        let pages = usize::midpoint(too_few, enough);
        let mut heap = arena.heap::<C>(pages * PAGE);
        if trace.replay(&mut heap) {
            enough = pages;
        } else {
            too_few = pages;
        }
        trace.end(&mut heap);
    }
    enough * PAGE
}

/// Takes many blocks, then gives half of them back, chosen at random. Returns the highest
/// block's end and how many bytes lived.
fn fragment<C: Contestant>(heap: &mut C) -> (usize, usize) {
    let mut random = Random(SEED);
    let (mut end, mut live) = (0, 0);
    let mut blocks = Vec::with_capacity(FRAGMENTS);
    for _ in 0..FRAGMENTS {
        let smallest = SMALLEST << random.below(POWERS);
        let size = smallest + random.below(smallest as u64);
        let layout = Layout::array::<u64>(size / 8).expect("small");
        // SAFETY: the size is not zero.
        let start = unsafe { heap.allocate(layout) };
        assert!(!start.is_null(), "{} ran out of memory", C::NAME);
        end = end.max(start.addr() + layout.size());
        live += layout.size();
        blocks.push(Block { start, layout });
    }
    let mut to_free = FRAGMENTS / 2;
    // From the last to the first, as a linked list takes minutes for any other order.
    for (left, block) in blocks.into_iter().enumerate().rev() {
        if random.below(left as u64 + 1) < to_free {
            to_free -= 1;
            // SAFETY: the block came from there, and goes back once.
            unsafe { heap.free(block.start, block.layout) };
        }
    }
    (end, live)
}

/// Marsaglia's xorshift generator: the same numbers each time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound) as usize
    }
}
