//! Memory that devices reach: all of it, at the same addresses. Memory that drivers share
//! with devices for good comes from pages that the heap never has.

use super::pages::Pages;
use crate::platform::lock::InterruptLock;
use crate::platform::memory;
use core::ptr::{self, NonNull};
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

/// Physical addresses are virtual addresses, and devices see the same memory.
pub(crate) struct Identity;

/// The devices' memory.
struct Pool {
    /// Where page zero lies; zero until the pool is first asked for pages.
    start: usize,
    pages: Pages,
}

static POOL: InterruptLock<Pool> = InterruptLock::new(Pool {
    start: 0,
    pages: Pages::none(),
});

impl Pool {
    /// The address of `count` adjacent pages.
    fn take(&mut self, count: usize) -> Option<usize> {
        if self.start == 0 {
            let (start, size) = memory::devices();
            self.start = start;
            self.pages.give(0, size / PAGE_SIZE);
        }
        let first = self.pages.take(count)?;
        Some(self.start + first * PAGE_SIZE)
    }
}

// SAFETY: pages come zeroed and aligned from the pool, which hands out each but once; the
// identity map makes every pointer a physical address.
unsafe impl Hal for Identity {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let Some(address) = POOL.lock().take(pages) else {
            log::error!("no memory is left for devices; give the machine more");
            // An address of zero tells the caller, who turns it into an error.
            return (0, NonNull::dangling());
        };
        let start = ptr::with_exposed_provenance_mut::<u8>(address);
        // SAFETY: the pages are mapped, and were just taken from the pool; they lie above
        // page zero.
        let start = unsafe {
            start.write_bytes(0, pages * PAGE_SIZE);
            NonNull::new_unchecked(start)
        };
        (address as PhysAddr, start)
    }

    unsafe fn dma_dealloc(address: PhysAddr, _: NonNull<u8>, pages: usize) -> i32 {
        let mut pool = POOL.lock();
        let first = (address as usize - pool.start) / PAGE_SIZE;
        pool.pages.give(first, pages);
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
