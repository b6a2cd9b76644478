//! The allocators, all behind one trait.

use core::alloc::Layout;
use core::cell::Cell;
use core::ptr::{self, NonNull};

/// A heap in a given piece of memory. Blocks are null where no memory is left.
pub trait Contestant {
    /// The name of its crate.
    const NAME: &'static str;

    /// A heap in `size` bytes.
    ///
    /// # Safety
    /// The memory is the heap's alone while blocks of it are used; it starts at a page.
    unsafe fn new(start: *mut u8, size: usize) -> Self;

    /// Allocates a block.
    ///
    /// # Safety
    /// The size is not zero.
    unsafe fn allocate(&mut self, layout: Layout) -> *mut u8;

    /// Takes a block back.
    ///
    /// # Safety
    /// It came from here, with this layout.
    unsafe fn free(&mut self, block: *mut u8, layout: Layout);

    /// Gives a block another size; without memory for it, the block stays.
    ///
    /// # Safety
    /// It came from here, with this layout, and `size` makes a valid layout, too.
    unsafe fn resize(&mut self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { move_block(self, block, layout, size) }
    }
}

/// Copies a block to a new one and frees it.
///
/// # Safety
/// As for [`Contestant::resize`].
unsafe fn move_block<C: Contestant + ?Sized>(
    heap: &mut C,
    block: *mut u8,
    layout: Layout,
    size: usize,
) -> *mut u8 {
    // SAFETY: as the caller promises; the blocks are as large as their layouts say.
    unsafe {
        let new = heap.allocate(Layout::from_size_align_unchecked(size, layout.align()));
        if !new.is_null() {
            ptr::copy_nonoverlapping(block, new, layout.size().min(size));
            heap.free(block, layout);
        }
        new
    }
}

fn pointer(block: Option<NonNull<u8>>) -> *mut u8 {
    block.map_or(ptr::null_mut(), NonNull::as_ptr)
}

/// The cost of measuring: it hands out the same block each time.
pub struct Nothing(pub *mut u8);

impl Contestant for Nothing {
    const NAME: &'static str = "nothing";

    unsafe fn new(start: *mut u8, _: usize) -> Self {
        Self(start)
    }

    unsafe fn allocate(&mut self, _: Layout) -> *mut u8 {
        self.0
    }

    unsafe fn free(&mut self, _: *mut u8, _: Layout) {}

    unsafe fn resize(&mut self, block: *mut u8, _: Layout, _: usize) -> *mut u8 {
        block
    }
}

pub struct LinkedList(linked_list_allocator::Heap);

impl Contestant for LinkedList {
    const NAME: &'static str = "linked_list_allocator";

    unsafe fn new(start: *mut u8, size: usize) -> Self {
        // SAFETY: as the caller promises.
        Self(unsafe { linked_list_allocator::Heap::new(start, size) })
    }

    unsafe fn allocate(&mut self, layout: Layout) -> *mut u8 {
        pointer(self.0.allocate_first_fit(layout).ok())
    }

    unsafe fn free(&mut self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { self.0.deallocate(NonNull::new_unchecked(block), layout) };
    }
}

pub struct Talc(talc::base::Talc<talc::source::Manual, talc::DefaultBinning>);

impl Contestant for Talc {
    const NAME: &'static str = "talc";

    unsafe fn new(start: *mut u8, size: usize) -> Self {
        let mut talc = talc::base::Talc::new(talc::source::Manual);
        // SAFETY: as the caller promises. If it is too small, nothing can be allocated.
        let _ = unsafe { talc.claim(start, size) };
        Self(talc)
    }

    unsafe fn allocate(&mut self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        pointer(unsafe { self.0.allocate(layout) })
    }

    unsafe fn free(&mut self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { self.0.deallocate(block, layout) };
    }

    unsafe fn resize(&mut self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe {
            if self.0.try_realloc_in_place(block, layout, size) {
                return block;
            }
            move_block(self, block, layout, size)
        }
    }
}

/// With 8 size classes for each power of two, up to 4 GiB.
pub struct Rlsf(rlsf::Tlsf<'static, u32, u8, 28, 8>);

impl Contestant for Rlsf {
    const NAME: &'static str = "rlsf";

    unsafe fn new(start: *mut u8, size: usize) -> Self {
        let mut heap = rlsf::Tlsf::new();
        let memory = ptr::slice_from_raw_parts_mut(start, size);
        // SAFETY: as the caller promises. If it is too small, nothing can be allocated.
        unsafe { heap.insert_free_block_ptr(NonNull::new_unchecked(memory)) };
        Self(heap)
    }

    unsafe fn allocate(&mut self, layout: Layout) -> *mut u8 {
        pointer(self.0.allocate(layout))
    }

    unsafe fn free(&mut self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe {
            self.0
                .deallocate(NonNull::new_unchecked(block), layout.align())
        };
    }

    unsafe fn resize(&mut self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller promises.
        pointer(unsafe {
            let new = Layout::from_size_align_unchecked(size, layout.align());
            self.0.reallocate(NonNull::new_unchecked(block), new)
        })
    }
}

pub struct Dlmalloc(dlmalloc::Dlmalloc<Arena>);

/// All memory, for whoever asks first.
struct Arena(Cell<(*mut u8, usize)>);

// SAFETY: there is one thread.
unsafe impl Send for Arena {}

// SAFETY: it hands out memory that is the heap's alone, once.
unsafe impl dlmalloc::Allocator for Arena {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        let (start, all) = self.0.get();
        if size > all {
            return (ptr::null_mut(), 0, 0);
        }
        self.0.set((ptr::null_mut(), 0));
        (start, all, 0)
    }

    fn remap(&self, _: *mut u8, _: usize, _: usize, _: bool) -> *mut u8 {
        ptr::null_mut()
    }

    fn free_part(&self, _: *mut u8, _: usize, _: usize) -> bool {
        false
    }

    fn free(&self, _: *mut u8, _: usize) -> bool {
        false
    }

    fn can_release_part(&self, _: u32) -> bool {
        false
    }

    fn allocates_zeros(&self) -> bool {
        false
    }

    fn page_size(&self) -> usize {
        4096
    }
}

impl Contestant for Dlmalloc {
    const NAME: &'static str = "dlmalloc";

    unsafe fn new(start: *mut u8, size: usize) -> Self {
        let arena = Arena(Cell::new((start, size)));
        let mut heap = dlmalloc::Dlmalloc::new_with_allocator(arena);
        heap.set_granularity(4096);
        Self(heap)
    }

    unsafe fn allocate(&mut self, layout: Layout) -> *mut u8 {
        // SAFETY: any size and alignment will do.
        unsafe { self.0.malloc(layout.size(), layout.align()) }
    }

    unsafe fn free(&mut self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { self.0.free(block, layout.size(), layout.align()) };
    }

    unsafe fn resize(&mut self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { self.0.realloc(block, layout.size(), layout.align(), size) }
    }
}
