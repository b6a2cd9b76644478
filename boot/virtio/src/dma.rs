use crate::SetUpError;
use core::marker::PhantomData;
use core::ptr::NonNull;
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

/// Zeroed pages that the device reaches, too.
pub(crate) struct Dma<H: Hal> {
    address: PhysAddr,
    start: NonNull<u8>,
    pages: usize,
    hal: PhantomData<H>,
}

impl<H: Hal> Dma<H> {
    /// At least `bytes` bytes.
    pub(crate) fn new(bytes: usize, direction: BufferDirection) -> Result<Self, SetUpError> {
        let pages = bytes.div_ceil(PAGE_SIZE).max(1);
        let (address, start) = H::dma_alloc(pages, direction);
        if address == 0 {
            return Err(SetUpError::NoMemory);
        }
        Ok(Self {
            address,
            start,
            pages,
            hal: PhantomData,
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

impl<H: Hal> Drop for Dma<H> {
    fn drop(&mut self) {
        // SAFETY: the pages came from `dma_alloc`, with these values, and go back once.
        unsafe { H::dma_dealloc(self.address, self.start, self.pages) };
    }
}
