//! The machine's heap over memory of this process.

#[path = "../heap.rs"]
#[expect(dead_code, reason = "nobody asks here how much is in use")]
mod heap;

/// There are no interrupts.
mod lock {
    use std::sync::{Mutex, MutexGuard};

    pub(super) struct InterruptLock<T>(Mutex<T>);

    impl<T> InterruptLock<T> {
        pub(super) const fn new(value: T) -> Self {
            Self(Mutex::new(value))
        }

        pub(super) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap()
        }
    }
}

/// The memory that a test has given to its thread.
mod memory {
    use std::cell::RefCell;

    thread_local! {
        static FREE: RefCell<Vec<(*mut u8, usize)>> = const { RefCell::new(Vec::new()) };
    }

    /// Gives pieces of memory that outlive the heap which takes them.
    pub(super) fn give(regions: &mut [Vec<u8>]) {
        let regions = regions
            .iter_mut()
            .map(|region| (region.as_mut_ptr(), region.len()));
        FREE.set(regions.collect());
    }

    pub(super) fn take(receive: impl FnMut(*mut u8, usize)) {
        let mut receive = receive;
        for (start, size) in FREE.take() {
            receive(start, size);
        }
    }

    pub(super) fn total() -> usize {
        FREE.with_borrow(|free| free.iter().map(|(_, size)| size).sum())
    }
}

use heap::{LinkedList, Talc};
use proptest::prelude::*;
use std::alloc::{GlobalAlloc, Layout};

/// Bytes of the regions of memory, the largest first.
const REGIONS: [usize; 3] = [1 << 20, 100_000, 5_000];
/// The bytes of the largest region that an allocator may keep for itself: its tables, and a piece
/// for small blocks.
const OWN: usize = 40 << 10;
const MOST_STEPS: usize = 300;

/// A program's request to its heap. Blocks are meant modulo their number.
#[derive(Clone, Debug)]
enum Step {
    Allocate(usize, usize),
    Zeroed(usize),
    Resize(usize, usize),
    Free(usize),
}

/// As many small blocks as large ones, up to a quarter of the largest region.
fn sizes() -> impl Strategy<Value = usize> {
    (0..18u32).prop_flat_map(|bits| (1 << bits)..=(1usize << (bits + 1)))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (sizes(), 0..13u32).prop_map(|(size, bits)| Step::Allocate(size, 1 << bits)),
        1 => sizes().prop_map(Step::Zeroed),
        3 => (any::<usize>(), sizes()).prop_map(|(which, size)| Step::Resize(which, size)),
        3 => any::<usize>().prop_map(Step::Free),
    ];
    prop::collection::vec(step, 1..MOST_STEPS)
}

/// A block with content of its own, so that an overlap is seen.
struct Block {
    start: *mut u8,
    layout: Layout,
    content: u8,
}

impl Block {
    /// Fills what has come anew, from `kept` on, and looks at where it lies.
    fn new(start: *mut u8, layout: Layout, content: u8, kept: usize) -> Self {
        let aligned = start.addr().is_multiple_of(layout.align());
        assert!(aligned && !start.is_null(), "{start:?} for {layout:?}");
        let fresh = layout.size().saturating_sub(kept);
        // SAFETY: the heap has given this many bytes.
        unsafe { start.add(layout.size() - fresh).write_bytes(content, fresh) };
        Self {
            start,
            layout,
            content,
        }
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the block is ours, and its bytes were written.
        unsafe { std::slice::from_raw_parts(self.start, self.layout.size()) }
    }

    fn check(&self) {
        // Compared as slices, which is fast even without optimisation.
        let intact = self.bytes() == vec![self.content; self.layout.size()];
        assert!(intact, "somebody else wrote to {:?}", self.layout);
    }
}

fn step(heap: &impl GlobalAlloc, blocks: &mut Vec<Block>, step: Step, content: u8) {
    // SAFETY: sizes are not zero, blocks come from this heap and go back to it once.
    unsafe {
        match step {
            Step::Allocate(size, align) => {
                let layout = Layout::from_size_align(size, align).unwrap();
                let start = heap.alloc(layout);
                if !start.is_null() {
                    blocks.push(Block::new(start, layout, content, 0));
                }
            }
            Step::Zeroed(size) => {
                let layout = Layout::array::<u8>(size).unwrap();
                let start = heap.alloc_zeroed(layout);
                if !start.is_null() {
                    let block = Block::new(start, layout, 0, size);
                    block.check();
                    blocks.push(block);
                }
            }
            Step::Resize(..) | Step::Free(_) if blocks.is_empty() => {}
            Step::Resize(which, size) => {
                let which = which % blocks.len();
                let Block {
                    start,
                    layout,
                    content,
                } = blocks[which];
                let start = heap.realloc(start, layout, size);
                // Without memory for the new size, the old block stays.
                if !start.is_null() {
                    let new = Layout::from_size_align(size, layout.align()).unwrap();
                    blocks[which] = Block::new(start, new, content, layout.size());
                    blocks[which].check();
                }
            }
            Step::Free(which) => {
                let block = blocks.swap_remove(which % blocks.len());
                block.check();
                heap.dealloc(block.start, block.layout);
            }
        }
    }
}

/// Takes all steps, then frees everything and takes the largest region as one block.
fn run(heap: impl GlobalAlloc, steps: Vec<Step>) {
    let mut regions = REGIONS.map(|size| vec![0xaa; size]);
    memory::give(&mut regions);
    let mut blocks = Vec::new();
    for (number, asked) in steps.into_iter().enumerate() {
        step(&heap, &mut blocks, asked, number as u8);
    }
    blocks.iter().for_each(Block::check);
    for block in blocks {
        // SAFETY: the block came from this heap.
        unsafe { heap.dealloc(block.start, block.layout) };
    }
    let whole = Layout::array::<u8>(REGIONS[0] - OWN).unwrap();
    // SAFETY: the size is not zero.
    let start = unsafe { heap.alloc(whole) };
    Block::new(start, whole, 1, 0).check();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_linked_list_keeps_blocks_apart(steps in steps()) {
        run(LinkedList::new(), steps);
    }

    #[test]
    fn talc_keeps_blocks_apart(steps in steps()) {
        run(Talc::new(), steps);
    }
}

/// Asks for too much, takes all there is in small blocks, and has it all again afterwards.
fn exhaust(heap: impl GlobalAlloc) {
    let mut regions = REGIONS.map(|size| vec![0xaa; size]);
    memory::give(&mut regions);
    let small = Layout::new::<[u64; 4]>();
    for size in [REGIONS[0] + 1, isize::MAX as usize - 4096] {
        // SAFETY: the size is not zero.
        assert!(unsafe { heap.alloc(Layout::array::<u8>(size).unwrap()) }.is_null());
    }
    let count = |heap: &dyn GlobalAlloc| {
        // SAFETY: the size is not zero, and blocks go back once.
        let blocks: Vec<_> = std::iter::repeat_with(|| unsafe { heap.alloc(small) })
            .take_while(|start| !start.is_null())
            .collect();
        for start in &blocks {
            // SAFETY: it came from this heap.
            unsafe { heap.dealloc(*start, small) };
        }
        blocks.len()
    };
    let first = count(&heap);
    assert!(first > REGIONS[0] / (2 * small.size()));
    // The reserve is divided otherwise.
    assert!(count(&heap).abs_diff(first) <= 4);
}

#[test]
fn a_full_heap_gives_nothing_and_recovers() {
    exhaust(LinkedList::new());
    exhaust(Talc::new());
}

/// A heap in pieces still gives blocks as large as a chunk, and has them back afterwards.
#[test]
fn a_heap_in_pieces_has_a_reserve() {
    let mut regions = REGIONS.map(|size| vec![0xaa; size]);
    memory::give(&mut regions);
    let heap = Talc::new();
    let (small, large) = (Layout::new::<[u64; 128]>(), Layout::new::<[u64; 2048]>());
    let allocate = |layout| {
        // SAFETY: the size is not zero.
        let start = unsafe { heap.alloc(layout) };
        (!start.is_null()).then_some(start)
    };
    let release = |start, layout| {
        // SAFETY: the block came from this heap, and goes back once.
        unsafe { heap.dealloc(start, layout) };
    };
    // Every other block of what is not set aside stays.
    let most = (REGIONS[0] - REGIONS[0] / 16) / small.size() - 16;
    let blocks: Vec<_> = (0..most).map(|_| allocate(small).unwrap()).collect();
    for block in blocks.iter().skip(1).step_by(2) {
        release(*block, small);
    }
    let first = allocate(large).expect("the reserve has a block");
    let second = allocate(large).expect("and another");
    release(first, large);
    release(second, large);
    for block in blocks.iter().step_by(2) {
        release(*block, small);
    }
    let whole = Layout::array::<u8>(REGIONS[0] - OWN).unwrap();
    assert!(allocate(whole).is_some(), "all of it is one piece again");
}

/// Small blocks that stay do not lie between the large ones that go.
#[test]
fn small_blocks_leave_no_holes_between_large_ones() {
    let mut regions = [vec![0xaa; 1 << 20]];
    memory::give(&mut regions);
    let heap = Talc::new();
    let (small, large) = (Layout::new::<[u64; 32]>(), Layout::new::<[u64; 1024]>());
    let allocate = |layout| {
        // SAFETY: the size is not zero.
        let start = unsafe { heap.alloc(layout) };
        (!start.is_null()).then_some(start).expect("there is room")
    };
    let pairs: Vec<_> = (0..90)
        .map(|_| (allocate(small), allocate(large)))
        .collect();
    for (_, block) in pairs {
        // SAFETY: the block came from this heap.
        unsafe { heap.dealloc(block, large) };
    }
    let whole = Layout::array::<u8>(700 << 10).unwrap();
    allocate(whole);
}
