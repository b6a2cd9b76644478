//! Memory that devices reach: all of it, at the same addresses.

use alloc::alloc::{alloc_zeroed, dealloc};
use core::alloc::Layout;
use core::ptr::NonNull;
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

/// Physical addresses are virtual addresses, and devices see the same memory.
pub(crate) struct Identity;

fn layout(pages: usize) -> Layout {
    let size = pages.saturating_mul(PAGE_SIZE);
    Layout::from_size_align(size, PAGE_SIZE).expect("queues are far smaller than memory")
}

// SAFETY: pages come zeroed and aligned from the heap, which hands out each but once; the
// identity map makes every pointer a physical address.
unsafe impl Hal for Identity {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        // SAFETY: queues have at least one page.
        let start = unsafe { alloc_zeroed(layout(pages)) };
        // An address of zero tells the caller that there is no memory.
        (
            start as PhysAddr,
            NonNull::new(start).unwrap_or(NonNull::dangling()),
        )
    }

    unsafe fn dma_dealloc(_: PhysAddr, start: NonNull<u8>, pages: usize) -> i32 {
        // SAFETY: the caller promises that the pages came from `dma_alloc`.
        unsafe { dealloc(start.as_ptr(), layout(pages)) };
        0
    }

    unsafe fn mmio_phys_to_virt(address: PhysAddr, _: usize) -> NonNull<u8> {
        NonNull::new(address as *mut u8).expect("no device is at address zero")
    }

    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        buffer.as_ptr().cast::<u8>() as PhysAddr
    }

    unsafe fn unshare(_: PhysAddr, _: NonNull<[u8]>, _: BufferDirection) {}
}
