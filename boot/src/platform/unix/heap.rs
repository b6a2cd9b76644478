//! The heap of a process: the system's allocator, with a count of what is in use.

use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicUsize, Ordering};
use std::alloc::System;

static USED: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn used() -> usize {
    USED.load(Ordering::Relaxed)
}

pub(crate) const fn total() -> Option<usize> {
    None
}

/// The host gives what is asked for.
#[cfg(any(feature = "disk", feature = "net"))]
pub(crate) const fn available(_block: usize) -> usize {
    usize::MAX
}

/// Makes an allocator of a virtual machine's name that counts and forwards to the system.
macro_rules! counting {
    ($(#[$documentation:meta])* $name:ident) => {
        $(#[$documentation])*
        #[derive(Debug)]
        pub struct $name(());

        impl $name {
            /// The allocator, for a `#[global_allocator]` static.
            #[allow(clippy::new_without_default, reason = "made once, in a constant")]
            pub const fn new() -> Self {
                Self(())
            }
        }

        // SAFETY: every method forwards to the system's allocator, and counts.
        unsafe impl GlobalAlloc for $name {
            unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
                // SAFETY: the caller keeps the contract of this very method.
                taken(unsafe { System.alloc(layout) }, layout.size())
            }

            unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
                // SAFETY: the caller keeps the contract of this very method.
                taken(unsafe { System.alloc_zeroed(layout) }, layout.size())
            }

            unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
                USED.fetch_sub(layout.size(), Ordering::Relaxed);
                // SAFETY: the caller keeps the contract of this very method.
                unsafe { System.dealloc(block, layout) }
            }

            unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
                // SAFETY: the caller keeps the contract of this very method.
                let grown = taken(unsafe { System.realloc(block, layout, size) }, size);
                if !grown.is_null() {
                    USED.fetch_sub(layout.size(), Ordering::Relaxed);
                }
                grown
            }
        }
    };
}

counting! {
    /// The system's allocator here; in a virtual machine a first-fit list: small code, for
    /// programs with few blocks.
    LinkedList
}

counting! {
    /// The system's allocator here; in a virtual machine one that takes the same time
    /// however many blocks live, for programs that serve.
    Talc
}

/// Counts a block that the system has given, if it has.
fn taken(block: *mut u8, size: usize) -> *mut u8 {
    if !block.is_null() {
        USED.fetch_add(size, Ordering::Relaxed);
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[global_allocator]
    static HEAP: LinkedList = LinkedList::new();

    #[test]
    fn counts_what_is_in_use() {
        // Far more than other tests use at the same time. Its pages are never touched.
        const SIZE: usize = 1 << 28;
        let before = used();
        let mut block: Vec<u8> = Vec::with_capacity(SIZE);
        assert!(used().abs_diff(before + SIZE) < SIZE / 2);
        block.shrink_to(1);
        assert!(used().abs_diff(before) < SIZE / 2);
        block.reserve_exact(SIZE);
        assert!(used().abs_diff(before + SIZE) < SIZE / 2);
        drop(block);
        assert!(used().abs_diff(before) < SIZE / 2);
    }
}
