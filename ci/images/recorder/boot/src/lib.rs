//! `fata-boot` with a heap that tells a virtual machine's port 0xe9, where QEMU can have a
//! debug console, what the program asks of it. A process records nothing.
#![cfg_attr(fata_vm, no_std)]

pub use fata_boot::*;

#[doc(hidden)]
pub use fata_boot as real;

/// [`fata_boot::main!`] with this crate's heap.
#[macro_export]
macro_rules! main {
    ($($program:tt)*) => {
        #[global_allocator]
        static HEAP: $crate::heap::Talc = $crate::heap::Talc::new();

        $crate::real::main!($($program)*, heap = own);
    };
}

/// The heap.
pub mod heap {
    use core::alloc::{GlobalAlloc, Layout};

    /// [`fata_boot::heap::Talc`], recorded: 24 bytes for each call.
    pub struct Talc(fata_boot::heap::Talc);

    impl Talc {
        /// The allocator, for a `#[global_allocator]` static.
        #[allow(clippy::new_without_default, reason = "made once, in a constant")]
        pub const fn new() -> Self {
            Self(fata_boot::heap::Talc::new())
        }
    }

    // SAFETY: every method forwards to an allocator.
    unsafe impl GlobalAlloc for Talc {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: the caller keeps the contract of this very method.
            let block = unsafe { self.0.alloc(layout) };
            record(layout.size(), layout, 0, block.addr());
            block
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            record(0, layout, block.addr(), 0);
            // SAFETY: the caller keeps the contract of this very method.
            unsafe { self.0.dealloc(block, layout) }
        }

        unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            // SAFETY: the caller keeps the contract of this very method.
            let new = unsafe { self.0.realloc(block, layout, size) };
            record(size, layout, block.addr(), new.addr());
            new
        }
    }

    /// Writes little-endian numbers: size (4 bytes), alignment (4), the block that is given
    /// back (8) and the one that is handed out (8), each zero if there is none.
    fn record(size: usize, layout: Layout, old: usize, new: usize) {
        let mut bytes = [0; 24];
        bytes[..4].copy_from_slice(&(size as u32).to_le_bytes());
        bytes[4..8].copy_from_slice(&(layout.align() as u32).to_le_bytes());
        bytes[8..16].copy_from_slice(&(old as u64).to_le_bytes());
        bytes[16..].copy_from_slice(&(new as u64).to_le_bytes());
        write(&bytes);
    }

    #[cfg(fata_vm)]
    fn write(bytes: &[u8]) {
        // SAFETY: nothing but a debug console listens to the port, and it reads what was
        // written above.
        unsafe {
            core::arch::asm!(
                "rep outsb",
                in("dx") 0xe9u16,
                inout("rsi") bytes.as_ptr() => _,
                inout("rcx") bytes.len() => _,
                options(nostack, preserves_flags, readonly),
            );
        }
    }

    #[cfg(not(fata_vm))]
    fn write(_: &[u8]) {}
}
