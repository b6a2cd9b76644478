use crate::SetUpError;
use core::ptr::NonNull;
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

/// The functions of a [`Hal`] as values, so that queues and drivers are compiled once and not anew
/// for each.
pub(crate) struct Operations {
    allocate: fn(usize, BufferDirection) -> (PhysAddr, NonNull<u8>),
    free: unsafe fn(PhysAddr, NonNull<u8>, usize) -> i32,
    pub(crate) share: unsafe fn(NonNull<[u8]>, BufferDirection) -> PhysAddr,
    pub(crate) unshare: unsafe fn(PhysAddr, NonNull<[u8]>, BufferDirection),
}

impl Operations {
    pub(crate) const fn of<H: Hal>() -> &'static Self {
        &Self {
            allocate: H::dma_alloc,
            free: H::dma_dealloc,
            share: H::share,
            unshare: H::unshare,
        }
    }
}

/// Zeroed pages that the device reaches, too.
pub(crate) struct Dma {
    address: PhysAddr,
    start: NonNull<u8>,
    pages: usize,
    hal: &'static Operations,
}

impl Dma {
    /// At least `bytes` bytes.
    pub(crate) fn new(
        hal: &'static Operations,
        bytes: usize,
        direction: BufferDirection,
    ) -> Result<Self, SetUpError> {
        let pages = bytes.div_ceil(PAGE_SIZE).max(1);
        let (address, start) = (hal.allocate)(pages, direction);
        if address == 0 {
            return Err(SetUpError::NoMemory);
        }
        Ok(Self {
            address,
            start,
            pages,
            hal,
        })
    }

    /// Where the device sees the pages.
    pub(crate) fn address(&self) -> PhysAddr {
        self.address
    }

    /// Where the driver sees them.
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }
}

impl Drop for Dma {
    fn drop(&mut self) {
        // SAFETY: the pages came from `allocate`, with these values, and go back once.
        unsafe { (self.hal.free)(self.address, self.start, self.pages) };
    }
}
