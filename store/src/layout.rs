use crate::page::{HEADER, PAGE};
use crate::superblock::MAX_BITMAPS;
use fata_block::Geometry;
use fata_kv::Error;

/// Pages that one page of the bitmap tells of.
pub(crate) const BITS: u64 = ((PAGE - HEADER) * 8) as u64;

/// The fewest pages of a store: half a mebibyte.
const MIN_PAGES: u64 = 128;

/// The page whose first sector says which transaction is known to be durable.
pub(crate) const CONFIRMATION: u64 = 2;

/// Where what is on a disk: two superblocks, the confirmation, two places for each page of the
/// bitmap, then nodes and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) pages: u64,
    sectors_per_page: u64,
}

impl Layout {
    /// The largest store that a disk has room for.
    pub(crate) fn of_disk(geometry: &Geometry) -> Result<Self, Error> {
        if geometry.sectors == 0 {
            return Err(Error::NoSectors);
        }
        let pages = (geometry.bytes() / PAGE as u64).min(MAX_BITMAPS as u64 * BITS);
        Self::new(geometry, pages)
    }

    /// A store of so many pages, as its superblock says.
    pub(crate) fn new(geometry: &Geometry, pages: u64) -> Result<Self, Error> {
        let fits = geometry.sector_size <= PAGE
            && pages >= MIN_PAGES
            && pages <= MAX_BITMAPS as u64 * BITS
            && pages <= geometry.bytes() / PAGE as u64;
        if !fits {
            return Err(Error::Unsupported);
        }
        Ok(Self {
            pages,
            sectors_per_page: (PAGE / geometry.sector_size) as u64,
        })
    }

    /// How many pages the bitmap has.
    pub(crate) fn bitmaps(&self) -> usize {
        self.pages.div_ceil(BITS) as usize
    }

    /// One of the two places of a page of the bitmap.
    pub(crate) fn bitmap_page(&self, index: usize, second: bool) -> u64 {
        let first = CONFIRMATION + 1 + index as u64;
        if second {
            first + self.bitmaps() as u64
        } else {
            first
        }
    }

    /// The first page that is a node's or a value's.
    pub(crate) fn first_free(&self) -> u64 {
        CONFIRMATION + 1 + 2 * self.bitmaps() as u64
    }

    /// Tells whether nodes and values can lie in a page.
    pub(crate) fn holds(&self, page: u64) -> bool {
        (self.first_free()..self.pages).contains(&page)
    }

    pub(crate) fn sector(&self, page: u64) -> u64 {
        page * self.sectors_per_page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry(sector_size: usize, sectors: u64) -> Geometry {
        Geometry {
            sector_size,
            sectors,
            read_only: false,
        }
    }

    #[test]
    fn the_parts_of_a_store_do_not_overlap() {
        let layout = Layout::of_disk(&geometry(512, 8 * 100_000)).unwrap();
        assert_eq!((layout.pages, layout.bitmaps()), (100_000, 4));
        assert_eq!(layout.bitmap_page(3, false), 6);
        assert_eq!(layout.bitmap_page(0, true), 7);
        assert_eq!(layout.first_free(), 11);
        assert!(layout.holds(11) && layout.holds(99_999));
        assert!(!layout.holds(10) && !layout.holds(100_000));
        assert_eq!(layout.sector(3), 24);
    }

    #[test]
    fn disks_that_cannot_hold_a_store_are_refused() {
        let refused = |geometry| Layout::of_disk(&geometry) == Err(Error::Unsupported);
        let none = Layout::of_disk(&geometry(512, 0));
        assert_eq!(none, Err(Error::NoSectors));
        assert!(refused(geometry(512, 1000)));
        assert!(refused(geometry(8192, 1000)));
        assert!(!refused(geometry(4096, 128)));
        let layout = Layout::of_disk(&geometry(4096, 1 << 60)).unwrap();
        assert_eq!(layout.bitmaps(), MAX_BITMAPS);
        assert!(Layout::new(&geometry(4096, 128), 129).is_err());
    }
}
