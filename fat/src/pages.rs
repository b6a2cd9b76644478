//! Pages of a disk that were read lately.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use core::ops::Range;

/// Bytes of a page, the least that is read at once.
pub(crate) const PAGE: usize = 16 * 1024;

/// Pages that are kept.
const KEPT: usize = 32;

/// Pages of a disk by their number, and when each was used.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    kept: BTreeMap<u64, (u64, Box<[u8]>)>,
    clock: u64,
}

impl Pages {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// The bytes of a page, if it is kept: fewer than [`PAGE`] at the disk's end.
    pub(crate) fn get(&mut self, page: u64) -> Option<&[u8]> {
        let now = self.tick();
        let (used, bytes) = self.kept.get_mut(&page)?;
        *used = now;
        Some(bytes)
    }

    /// Keeps a page instead of that which was not used for longest.
    pub(crate) fn keep(&mut self, page: u64, bytes: &[u8]) {
        if self.kept.len() >= KEPT && !self.kept.contains_key(&page) {
            let oldest = self.kept.iter().min_by_key(|(_, (used, _))| *used);
            if let Some(oldest) = oldest.map(|(page, _)| *page) {
                self.kept.remove(&oldest);
            }
        }
        let now = self.tick();
        self.kept.insert(page, (now, bytes.into()));
    }

    /// Forgets pages that are changed.
    pub(crate) fn forget(&mut self, pages: Range<u64>) {
        while let Some((&page, _)) = self.kept.range(pages.clone()).next() {
            self.kept.remove(&page);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_used_last_are_kept() {
        let mut pages = Pages::default();
        for page in 0..KEPT as u64 {
            pages.keep(page, &[page as u8]);
        }
        assert_eq!(pages.get(0), Some(&[0][..]));
        pages.keep(99, &[99]);
        assert_eq!(pages.get(1), None);
        assert_eq!(pages.get(0), Some(&[0][..]));
        assert_eq!(pages.kept.len(), KEPT);
        pages.keep(99, &[98]);
        assert_eq!(pages.get(99), Some(&[98][..]));
        pages.forget(0..99);
        assert_eq!(pages.get(0), None);
        assert_eq!(pages.get(99), Some(&[98][..]));
    }
}
