//! Which pages are in use: as of the last transaction, and as of the one under way.

use crate::layout::{BITS, Layout};
use crate::page::{HEADER, Kind, PAGE, number, put, seal};
use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

/// Words of the bitmap in one of its pages.
const WORDS: usize = BITS as usize / 64;

/// Two bits for each page. A page may be given out only if neither is set: what the last
/// transaction uses must stay as it is until the next one is durable.
#[derive(Debug)]
pub(crate) struct Bitmap {
    layout: Layout,
    committed: Vec<u64>,
    current: Vec<u64>,
    /// The pages of the bitmap that are not as they were.
    changed: BTreeSet<usize>,
    /// For each page of the bitmap whether its second place counts.
    selected: Vec<bool>,
    /// Pages that can be given out.
    free: u64,
    /// Where to look for a free page next: pages are used in turn, so that all wear alike.
    cursor: u64,
}

impl Bitmap {
    /// A bitmap of which nothing was read yet: everything is in use.
    pub(crate) fn new(layout: Layout, selected: Vec<bool>) -> Self {
        let words = vec![u64::MAX; layout.bitmaps() * WORDS];
        Self {
            layout,
            committed: words.clone(),
            current: words,
            changed: BTreeSet::new(),
            selected,
            free: 0,
            cursor: 0,
        }
    }

    /// The bitmap of a store without nodes and values.
    pub(crate) fn empty(layout: Layout) -> Self {
        let mut bitmap = Self::new(layout, vec![false; crate::superblock::MAX_BITMAPS]);
        for page in layout.first_free()..layout.pages {
            clear(&mut bitmap.committed, page);
            clear(&mut bitmap.current, page);
        }
        bitmap.free = layout.pages - layout.first_free();
        bitmap
    }

    /// Takes in a page of the bitmap. Claims of a damaged one about pages that are none, or not to
    /// be given out, do not count.
    pub(crate) fn load(&mut self, index: usize, bytes: &[u8]) {
        for word in 0..WORDS {
            let first = (index * WORDS + word) as u64 * 64;
            let mut bits = number(bytes, HEADER + 8 * word);
            if !self.layout.holds(first) || !self.layout.holds(first + 63) {
                for bit in 0..64 {
                    let is_none = !self.layout.holds(first + bit);
                    bits |= u64::from(is_none) << bit;
                }
            }
            self.committed[index * WORDS + word] = bits;
            self.current[index * WORDS + word] = bits;
            self.free += u64::from(bits.count_zeros());
        }
    }

    /// A page of the bitmap as of the transaction under way.
    pub(crate) fn page(&self, index: usize, identity: u64, page: u64, generation: u64) -> Vec<u8> {
        let mut bytes = vec![0; PAGE];
        for word in 0..WORDS {
            put(
                &mut bytes,
                HEADER + 8 * word,
                self.current[index * WORDS + word],
            );
        }
        seal(&mut bytes, identity, page, generation, Kind::Bitmap);
        bytes
    }

    /// Which page of the disk holds a page of the bitmap.
    pub(crate) fn place(&self, index: usize) -> u64 {
        self.layout.bitmap_page(index, self.selected[index])
    }

    /// The pages of the bitmap that changed, and the places where they go.
    pub(crate) fn changes(&self) -> Vec<(usize, u64)> {
        let place = |index: &usize| self.layout.bitmap_page(*index, !self.selected[*index]);
        let changed = self.changed.iter();
        changed.map(|index| (*index, place(index))).collect()
    }

    /// Which places count after the transaction under way.
    pub(crate) fn next_selected(&self) -> Vec<bool> {
        let mut selected = self.selected.clone();
        for index in &self.changed {
            selected[*index] = !selected[*index];
        }
        selected
    }

    /// Pages that can be given out now.
    pub(crate) fn free(&self) -> u64 {
        self.free
    }

    /// Tells whether the transaction under way uses a page.
    pub(crate) fn is_used(&self, page: u64) -> bool {
        is_set(&self.current, page)
    }

    /// Tells whether the last transaction uses a page.
    pub(crate) fn is_committed(&self, page: u64) -> bool {
        is_set(&self.committed, page)
    }

    /// Gives out up to `limit` free pages that follow each other, and tells the first and how
    /// many they are.
    pub(crate) fn allocate(&mut self, limit: u64) -> Option<(u64, u64)> {
        let start = self.find_free()?;
        let count = self.count_free(start, limit);
        for page in start..start + count {
            self.change(page);
            set(&mut self.current, page);
        }
        self.free -= count;
        self.cursor = start + count;
        Some((start, count))
    }

    /// The next free pages from one on that follow each other: the first, and how many they are,
    /// up to `limit`.
    pub(crate) fn free_run(&self, from: u64, limit: u64) -> Option<(u64, u64)> {
        let start = self.next_free(from)?;
        Some((start, self.count_free(start, limit)))
    }

    /// How many pages from one on are free, up to `limit`.
    fn count_free(&self, start: u64, limit: u64) -> u64 {
        let end = self.layout.pages.min(start.saturating_add(limit));
        let used = (start..end).find(|page| !self.is_free(*page));
        used.unwrap_or(end) - start
    }

    /// Takes a page back. False if it was not given out.
    pub(crate) fn release(&mut self, page: u64) -> bool {
        if !self.layout.holds(page) || !is_set(&self.current, page) {
            return false;
        }
        self.change(page);
        clear(&mut self.current, page);
        self.free += u64::from(!self.is_committed(page));
        true
    }

    /// The transaction is durable.
    pub(crate) fn commit(&mut self) {
        self.selected = self.next_selected();
        for index in core::mem::take(&mut self.changed) {
            for word in index * WORDS..(index + 1) * WORDS {
                let freed = self.committed[word] & !self.current[word];
                self.free += u64::from(freed.count_ones());
                self.committed[word] = self.current[word];
            }
        }
    }

    /// The transaction did not happen.
    pub(crate) fn roll_back(&mut self) {
        for index in core::mem::take(&mut self.changed) {
            for word in index * WORDS..(index + 1) * WORDS {
                let given_out = self.current[word] & !self.committed[word];
                self.free += u64::from(given_out.count_ones());
                self.current[word] = self.committed[word];
            }
        }
    }

    fn change(&mut self, page: u64) {
        self.changed.insert((page / BITS) as usize);
    }

    fn is_free(&self, page: u64) -> bool {
        !is_set(&self.committed, page) && !is_set(&self.current, page)
    }

    /// The next free page from the cursor on, around the end.
    fn find_free(&self) -> Option<u64> {
        if self.free == 0 {
            return None;
        }
        let found = self.next_free(self.cursor);
        found.or_else(|| self.next_free(0))
    }

    /// The next free page from one on.
    fn next_free(&self, from: u64) -> Option<u64> {
        let start = (from / 64) as usize;
        // Pages before it in its own word do not count.
        let before = (1_u64 << (from % 64)) - 1;
        (start..self.current.len())
            .map(|word| {
                let skipped = if word == start { before } else { 0 };
                (word, self.committed[word] | self.current[word] | skipped)
            })
            .find(|(_, used)| *used != u64::MAX)
            .map(|(word, used)| word as u64 * 64 + u64::from(used.trailing_ones()))
    }
}

fn is_set(words: &[u64], page: u64) -> bool {
    words[(page / 64) as usize] >> (page % 64) & 1 == 1
}

fn set(words: &mut [u64], page: u64) {
    words[(page / 64) as usize] |= 1 << (page % 64);
}

fn clear(words: &mut [u64], page: u64) {
    words[(page / 64) as usize] &= !(1 << (page % 64));
}

#[cfg(test)]
mod tests {
    use super::*;
    use fata_block::Geometry;

    fn bitmap(pages: u64) -> Bitmap {
        let geometry = Geometry {
            sector_size: 4096,
            sectors: pages,
            read_only: false,
        };
        Bitmap::empty(Layout::of_disk(&geometry).expect("it is large enough"))
    }

    #[test]
    fn pages_are_given_out_once_until_they_are_free_for_good() {
        let mut bitmap = bitmap(128);
        let first = bitmap.layout.first_free();
        assert_eq!(bitmap.allocate(100), Some((first, 100)));
        assert_eq!(bitmap.allocate(100), Some((first + 100, 23)));
        assert_eq!((bitmap.allocate(1), bitmap.free()), (None, 0));
        assert!(bitmap.release(first + 7), "it was never durable");
        assert_eq!(bitmap.allocate(9), Some((first + 7, 1)));
        bitmap.commit();
        assert!(bitmap.release(first + 50) && !bitmap.release(first + 50));
        assert!(!bitmap.release(0) && !bitmap.release(u64::MAX));
        assert_eq!((bitmap.allocate(1), bitmap.free()), (None, 0));
        bitmap.commit();
        assert_eq!(bitmap.allocate(9), Some((first + 50, 1)));
        bitmap.roll_back();
        assert_eq!((bitmap.free(), bitmap.is_committed(first + 50)), (1, false));
    }

    #[test]
    fn changes_go_to_the_other_place() {
        let mut bitmap = bitmap(100_000);
        assert_eq!(bitmap.changes(), []);
        bitmap.cursor = 2 * BITS;
        let (page, _) = bitmap.allocate(1).unwrap();
        assert_eq!(page, 2 * BITS);
        let before = bitmap.place(2);
        let (index, place) = bitmap.changes()[0];
        assert_eq!((index, place), (2, before + 4));
        let bytes = bitmap.page(2, 1, place, 1);
        bitmap.commit();
        assert_eq!(bitmap.place(2), place);
        let mut loaded = Bitmap::new(bitmap.layout, bitmap.selected.clone());
        assert_eq!(loaded.free(), 0);
        loaded.load(2, &bytes);
        assert_eq!(loaded.free(), BITS - 1);
        assert!(loaded.is_committed(page) && !loaded.is_committed(page + 1));
    }

    #[test]
    fn pages_are_used_in_turn() {
        let mut bitmap = bitmap(128);
        let (first, _) = bitmap.allocate(10).unwrap();
        bitmap.commit();
        assert!(bitmap.release(first));
        bitmap.commit();
        assert_eq!(bitmap.allocate(1), Some((first + 10, 1)));
        bitmap.cursor = 128;
        assert_eq!(bitmap.allocate(5), Some((first, 1)));
    }

    #[test]
    fn runs_of_free_pages_end_where_a_page_is_used_or_just_freed() {
        let mut bitmap = bitmap(200);
        let first = bitmap.layout.first_free();
        let (page, _) = bitmap.allocate(96).unwrap();
        bitmap.commit();
        assert!(bitmap.release(page + 5) && bitmap.release(page + 95));
        assert_eq!(bitmap.free_run(0, 500), Some((first + 96, 104 - first)));
        bitmap.commit();
        assert_eq!(bitmap.free_run(0, 500), Some((first + 5, 1)));
        assert_eq!(bitmap.free_run(first + 6, 10), Some((first + 95, 10)));
        assert_eq!(bitmap.free_run(199, 10), Some((199, 1)));
        assert_eq!(bitmap.free_run(200, 10), None);
        assert!(bitmap.release(page + 6), "the last transaction needs it");
        assert_eq!(bitmap.free_run(0, 500), Some((first + 5, 1)));
        bitmap.allocate(1);
        assert_eq!(
            bitmap.free_run(first + 96, 500),
            Some((first + 97, 103 - first))
        );
    }
}
