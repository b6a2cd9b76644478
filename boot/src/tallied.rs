use core::alloc::{GlobalAlloc, Layout};
use fata_memory::tally;

/// An allocator that counts what each part of the program holds: the part's number stands in the
/// byte before each block.
#[derive(Debug)]
pub struct Tallied<A>(A);

impl<A> Tallied<A> {
    pub(crate) const fn over(allocator: A) -> Self {
        Self(allocator)
    }
}

/// The block that a block of `layout` is a part of, and where in it that begins.
fn outer(layout: Layout) -> Option<(Layout, usize)> {
    let number = Layout::new::<u8>();
    let (outer, start) = number.extend(layout).ok()?;
    Some((outer, start))
}

// SAFETY: each block is a part of one of the allocator's, as large and as aligned as was asked for.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Tallied<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some((outer, start)) = outer(layout) else {
            return core::ptr::null_mut();
        };
        // SAFETY: it is larger than `layout`, whose size is not zero.
        let block = unsafe { self.0.alloc(outer) };
        if block.is_null() {
            return block;
        }
        let part = tally::current();
        tally::add(part, layout.size());
        // SAFETY: the block is as large as `outer`, of which `layout` begins at `start`, behind at
        // least one byte.
        unsafe {
            block.add(start - 1).write(part);
            block.add(start)
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some((outer, start)) = outer(layout) else {
            return;
        };
        // SAFETY: the caller promises that the block came from here, with this layout.
        unsafe {
            tally::subtract(block.sub(1).read(), layout.size());
            self.0.dealloc(block.sub(start), outer);
        }
    }
}

#[cfg(all(test, not(fata_vm)))]
mod tests {
    use super::*;
    use fata_memory::{Budget, Part};
    use std::alloc::System;

    fn allocated(part: Part) -> usize {
        let counted = Budget::unbounded().statistics().allocated;
        counted.expect("it is counted")[part as usize]
    }

    #[test]
    fn blocks_are_counted_for_the_part_that_took_them() {
        let heap = Tallied::over(System);
        for align in [1, 2, 8, 64, 4096] {
            let layout = Layout::from_size_align(1_000, align).expect("it is one");
            // SAFETY: the size is not zero.
            let block = tally::scope(Part::Storage, || unsafe { heap.alloc(layout) });
            assert!(!block.is_null() && block.addr() % align == 0);
            assert_eq!(allocated(Part::Storage), 1_000);
            // SAFETY: it is as large as was asked for.
            unsafe { block.write_bytes(0xa5, 1_000) };
            // SAFETY: the block came from there, with this layout.
            let grown = unsafe { heap.realloc(block, layout, 5_000) };
            assert_eq!(allocated(Part::Storage), 0, "others have taken it over");
            // SAFETY: the first thousand bytes were copied.
            assert_eq!(unsafe { grown.add(999).read() }, 0xa5);
            let layout = Layout::from_size_align(5_000, align).expect("it is one");
            let before = allocated(Part::System);
            // SAFETY: the block came from there, with this layout.
            unsafe { heap.dealloc(grown, layout) };
            assert_eq!(allocated(Part::System), before - 5_000);
        }
    }
}
