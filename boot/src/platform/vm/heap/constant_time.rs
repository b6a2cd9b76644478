//! `talc`: bins of free blocks, found through a bit map.
//!
//! Small blocks lie in pieces of memory of their own, so that they do not break up what large ones
//! leave behind: after a crowd of connections there are still blocks for buffers. A piece goes back
//! when nothing in it is in use.
//!
//! Functions called for each block are `inline`, so that they are built with their program: for
//! speed, if that asks for speed.

use super::reserve::{self, Reserve, State};
use super::{Allocator, memory, used};
use core::alloc::Layout;
use core::ptr::NonNull;
use talc::DefaultBinning;
use talc::base::Talc;
use talc::base::binning::Binning;
use talc::source::Source;

/// The largest small block.
const SMALL: usize = 5 << 10;
/// One of so many parts of the heap may lie in pieces without use.
const IDLE: usize = 16;
/// A piece of memory for small blocks. `talc` needs its ends at multiples of 32.
const PIECE: Layout = match Layout::from_size_align(32 << 10, 32) {
    Ok(layout) => layout,
    Err(_) => panic!("a piece has a layout"),
};

/// An allocator whose operations take the same time however many blocks live.
pub struct ConstantTime {
    small: Talc<Pieces, DefaultBinning>,
    large: Large,
}

// SAFETY: it holds pointers to memory that it owns.
unsafe impl Send for ConstantTime {}

impl ConstantTime {
    pub(super) const EMPTY: Self = Self {
        small: Talc::new(Pieces(None)),
        large: Large {
            talc: Talc::new(Pieces(None)),
            reserve: Reserve::NONE,
        },
    };

    /// The allocator of small blocks, with access to that of large ones.
    #[inline]
    fn small(&mut self) -> &mut Talc<Pieces, DefaultBinning> {
        self.small.source = Pieces(Some(NonNull::from(&mut self.large)));
        &mut self.small
    }
}

#[inline]
fn is_small(layout: Layout) -> bool {
    layout.size().max(layout.align()) <= SMALL
}

impl Allocator for ConstantTime {
    unsafe fn add(&mut self, start: *mut u8, size: usize) {
        // SAFETY: as the caller promises. A region that is too small is left unused.
        let _ = unsafe { self.large.talc.claim(start, size) };
        if !self.small.is_metadata_established() {
            // The first piece stays for good, so it lies where it breaks up nothing.
            let _ = Pieces::acquire(self.small(), PIECE);
        }
        self.large.reserve.grow(size);
    }

    #[inline]
    unsafe fn allocate(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        // SAFETY: as the caller promises.
        unsafe {
            match is_small(layout) {
                true => self.small().allocate(layout),
                false => self.large.allocate(layout),
            }
        }
    }

    #[inline]
    unsafe fn release(&mut self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe {
            match is_small(layout) {
                true => self.small().deallocate(block.as_ptr(), layout),
                false => self.large.release(block, layout),
            }
        }
    }

    #[inline]
    unsafe fn resize(&mut self, block: *mut u8, layout: Layout, size: usize) -> bool {
        let small = is_small(layout);
        let new = Layout::from_size_align(size, layout.align());
        if !new.is_ok_and(|new| is_small(new) == small) {
            return false;
        }
        // SAFETY: as the caller promises; the block stays with the allocator that it came from.
        unsafe {
            match small {
                true => self.small().try_realloc_in_place(block, layout, size),
                false => self.large.talc.try_realloc_in_place(block, layout, size),
            }
        }
    }
}

/// The allocator of large blocks, and what it holds back.
struct Large {
    talc: Talc<Pieces, DefaultBinning>,
    reserve: Reserve,
}

impl Large {
    /// # Safety
    /// The layout's size is not zero.
    #[inline]
    unsafe fn allocate(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        // SAFETY: as the caller promises.
        unsafe {
            self.talc
                .allocate(layout)
                .or_else(|| self.allocate_reserve(layout))
        }
    }

    /// # Safety
    /// The block came from here, with this layout.
    #[inline]
    unsafe fn release(&mut self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { self.talc.deallocate(block.as_ptr(), layout) }
        if self.reserve.is_short() {
            self.refill(layout.size());
        }
    }

    /// Sets aside what the reserve lacks, after a block of so many bytes has come back. The first
    /// time it takes a block at a time, so that a program starts quickly.
    #[cold]
    fn refill(&mut self, bytes: usize) {
        for layout in Reserve::layouts(bytes) {
            while self.reserve.is_short() {
                // SAFETY: the layout's size is not zero.
                let Some(block) = (unsafe { self.talc.allocate(layout) }) else {
                    break;
                };
                self.reserve.push((block, layout));
                if reserve::state() == State::Absent {
                    return;
                }
            }
        }
    }

    /// Allocates a block of what was set aside.
    ///
    /// # Safety
    /// The layout's size is not zero.
    #[cold]
    unsafe fn allocate_reserve(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        let mut found = None;
        while found.is_none()
            && let Some((block, held)) = self.reserve.pop(layout)
        {
            // SAFETY: the block came from here, with this layout. As the caller promises.
            found = unsafe {
                self.talc.deallocate(block.as_ptr(), held);
                self.talc.allocate(layout)
            };
        }
        found
    }
}

/// Where an allocator gets its memory from: from another one, in pieces, if there is one.
#[derive(Debug)]
struct Pieces(Option<NonNull<Large>>);

// SAFETY: pieces are claimed as they came and given back whole, when nothing in them is in use.
unsafe impl Source for Pieces {
    const TRACK_HEAP_END: bool = true;

    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, _: Layout) -> Result<(), ()> {
        let mut large = talc.source.0.ok_or(())?;
        // SAFETY: the pointer was made for this call, and nobody else uses what it points to. The
        // size is not zero. The piece is nobody else's.
        unsafe {
            let piece = large.as_mut().allocate(PIECE).ok_or(())?;
            talc.claim(piece.as_ptr(), PIECE.size());
        }
        Ok(())
    }

    #[inline]
    unsafe fn resize(&mut self, base: *mut u8, end: *mut u8, is_whole: bool) -> *mut u8 {
        let Some(mut large) = self.0.filter(|_| is_whole) else {
            return end;
        };
        // A few pieces stay where there is plenty: the next block would ask for one again.
        if used() < memory::total() / IDLE {
            return end;
        }
        // SAFETY: the piece came from there and ends here, as its size is a multiple of what
        // `talc` rounds its end down to. The pointer was made for this call.
        unsafe {
            let piece = NonNull::new_unchecked(end.sub(PIECE.size()));
            large.as_mut().release(piece, PIECE);
        }
        base
    }
}
