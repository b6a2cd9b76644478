//! The heap: all free memory, behind the allocator that the application names.

#[path = "heap/constant_time.rs"]
mod constant_time;
#[path = "heap/reserve.rs"]
mod reserve;

use super::lock::InterruptLock;
use super::memory;
pub use constant_time::ConstantTime;
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicUsize, Ordering};

/// A first-fit list, for programs with few blocks. The smallest in the image.
pub type LinkedList = Heap<FirstFit>;

/// A heap whose operations take the same time however many blocks live.
pub type Talc = Heap<ConstantTime>;

/// Bytes that the program holds.
static USED: AtomicUsize = AtomicUsize::new(0);

/// Bytes of the heap that the program holds.
pub(crate) fn used() -> usize {
    USED.load(Ordering::Relaxed)
}

/// Bytes that the heap has.
pub(crate) fn total() -> Option<usize> {
    Some(memory::total())
}

/// Bytes that are free, for a taker of a block of so many. None if there is no such block, or if
/// the reserve is low: what is free is in pieces then that are too small.
#[cfg(any(feature = "disk", feature = "net"))]
pub(crate) fn available(block: usize) -> usize {
    use fata_memory::has_block;
    use reserve::State::{Absent, Full, Low};

    let has_blocks = match reserve::state() {
        Absent => has_block(block.max(reserve::CHUNK)),
        Full => block <= reserve::CHUNK || has_block(block),
        // A block that comes back fills the reserve up again, if there is memory.
        Low => has_block(block.max(reserve::CHUNK)) && reserve::state() == Full,
    };
    let free = memory::total().saturating_sub(used());
    if has_blocks { free } else { 0 }
}

/// A global allocator over all free memory, which it takes with its first allocation.
pub struct Heap<A> {
    state: InterruptLock<State<A>>,
}

struct State<A> {
    allocator: A,
    has_memory: bool,
}

impl Heap<FirstFit> {
    /// A heap that takes its memory when it is first used.
    #[allow(clippy::new_without_default, reason = "made for a static")]
    pub const fn new() -> Self {
        Self::with(FirstFit {
            heaps: [const { linked_list_allocator::Heap::empty() }; REGIONS],
        })
    }
}

impl Heap<ConstantTime> {
    /// A heap that takes its memory when it is first used.
    #[allow(clippy::new_without_default, reason = "made for a static")]
    pub const fn new() -> Self {
        Self::with(ConstantTime::EMPTY)
    }
}

impl<A> Heap<A> {
    const fn with(allocator: A) -> Self {
        Self {
            state: InterruptLock::new(State {
                allocator,
                has_memory: false,
            }),
        }
    }
}

// SAFETY: the allocators hand out disjoint blocks of memory that nobody else uses, and
// keep them until they come back.
unsafe impl<A: Allocator> GlobalAlloc for Heap<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let mut state = self.state.lock();
        if !state.has_memory {
            state.has_memory = true;
            // SAFETY: the regions are free memory, handed out once.
            memory::take(|start, size| unsafe { state.allocator.add(start, size) });
        }
        // SAFETY: the caller promises that the size is not zero.
        match unsafe { state.allocator.allocate(layout) } {
            Some(block) => {
                USED.fetch_add(layout.size(), Ordering::Relaxed);
                block.as_ptr()
            }
            None => ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(start) = NonNull::new(block) else {
            return;
        };
        // SAFETY: the caller promises that the block came from here, with this layout.
        unsafe { self.state.lock().allocator.release(start, layout) };
        USED.fetch_sub(layout.size(), Ordering::Relaxed);
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the block came from here, with this layout.
        if unsafe { self.state.lock().allocator.resize(block, layout, size) } {
            USED.fetch_add(size, Ordering::Relaxed);
            USED.fetch_sub(layout.size(), Ordering::Relaxed);
            return block;
        }
        // SAFETY: the caller promises that `size` makes a valid layout; the blocks are
        // distinct, and as large as their layouts say.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                ptr::copy_nonoverlapping(block, new, layout.size().min(size));
                self.dealloc(block, layout);
            }
            new
        }
    }
}

/// The allocator under a heap.
pub trait Allocator {
    /// Adds memory.
    ///
    /// # Safety
    /// The memory is mapped, and belongs to the allocator from here on.
    unsafe fn add(&mut self, start: *mut u8, size: usize);

    /// Allocates a block, or `None` if no memory is left.
    ///
    /// # Safety
    /// The layout's size is not zero.
    unsafe fn allocate(&mut self, layout: Layout) -> Option<NonNull<u8>>;

    /// Takes a block back.
    ///
    /// # Safety
    /// The block came from here, with this layout.
    unsafe fn release(&mut self, block: NonNull<u8>, layout: Layout);

    /// Changes a block's size where it is, if that is possible.
    ///
    /// # Safety
    /// The block came from here, with this layout; `size` is not zero.
    unsafe fn resize(&mut self, block: *mut u8, layout: Layout, size: usize) -> bool;
}

/// More regions of memory than this are left unused by [`FirstFit`]. Real memory maps
/// have one below 1 MiB, one below 4 GiB and one above.
const REGIONS: usize = 4;

/// `linked_list_allocator`, a list for each region of memory.
pub struct FirstFit {
    heaps: [linked_list_allocator::Heap; REGIONS],
}

impl Allocator for FirstFit {
    unsafe fn add(&mut self, start: *mut u8, size: usize) {
        let empty = self.heaps.iter_mut().find(|heap| heap.size() == 0);
        if let Some(heap) = empty {
            // SAFETY: as the caller promises; the heap is empty.
            unsafe { heap.init(start, size) };
        }
    }

    unsafe fn allocate(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        self.heaps
            .iter_mut()
            .find_map(|heap| heap.allocate_first_fit(layout).ok())
    }

    unsafe fn release(&mut self, block: NonNull<u8>, layout: Layout) {
        let owner = self
            .heaps
            .iter_mut()
            .find(|heap| (heap.bottom()..heap.top()).contains(&block.as_ptr()));
        if let Some(heap) = owner {
            // SAFETY: as the caller promises.
            unsafe { heap.deallocate(block, layout) };
        }
    }

    unsafe fn resize(&mut self, _: *mut u8, _: Layout, _: usize) -> bool {
        false
    }
}
