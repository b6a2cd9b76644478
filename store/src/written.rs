//! Pages that a transaction has written, for its superblock to tell: then both can be flushed at
//! once, and whether all of them have reached the disk is found out when the store is opened.

use crate::page::{PAGE, checksum};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::hash::Hasher;
use twox_hash::XxHash64;

/// Most pages that a superblock tells of. A transaction of more is flushed before its superblock.
pub(crate) const MAX_LISTED: usize = 128;

/// The pages of a transaction under way, each with the checksum of what it was last given.
#[derive(Debug, Default)]
pub(crate) struct Written {
    sums: BTreeMap<u64, u64>,
    is_too_long: bool,
}

/// The pages that belong to a superblock, and a checksum of them all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) pages: Vec<u64>,
    pub(crate) sum: u64,
}

impl Written {
    /// Pages that follow each other are written.
    pub(crate) fn note(&mut self, identity: u64, first: u64, bytes: &[u8]) {
        for (page, bytes) in (first..).zip(bytes.chunks(PAGE)) {
            if self.is_too_long {
                return;
            }
            self.sums.insert(page, checksum(identity, page, bytes));
            if self.sums.len() > MAX_LISTED {
                self.is_too_long = true;
                self.sums.clear();
            }
        }
    }

    /// Tells whether they are more than a superblock can tell of.
    pub(crate) fn is_too_long(&self) -> bool {
        self.is_too_long
    }

    /// The pages of them that are in use at the end: others may be overwritten while the
    /// superblock still counts. None if they are too many.
    pub(crate) fn list(&self, is_used: impl Fn(u64) -> bool) -> Listed {
        let used = self.sums.iter().filter(|(page, _)| is_used(**page));
        let (pages, sums): (Vec<u64>, Vec<u64>) = used.unzip();
        let sum = total(&sums);
        Listed { pages, sum }
    }
}

/// One checksum of many.
pub(crate) fn total(sums: &[u64]) -> u64 {
    let mut hasher = XxHash64::with_seed(0);
    for sum in sums {
        hasher.write(&sum.to_le_bytes());
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn pages_are_listed_as_they_were_written_last() {
        let mut written = Written::default();
        written.note(1, 7, &[1; 2 * PAGE]);
        written.note(1, 7, &[2; PAGE]);
        written.note(1, 20, &[3; PAGE]);
        let listed = written.list(|page| page != 20);
        assert_eq!(listed.pages, [7, 8]);
        let sums = [checksum(1, 7, &[2; PAGE]), checksum(1, 8, &[1; PAGE])];
        assert_eq!(listed.sum, total(&sums));
    }

    #[test]
    fn too_many_pages_are_not_listed() {
        let mut written = Written::default();
        written.note(1, 10, &vec![0; MAX_LISTED * PAGE]);
        assert_eq!(written.list(|_| true).pages.len(), MAX_LISTED);
        assert!(!written.is_too_long());
        written.note(1, 5, &[0; PAGE]);
        written.note(1, 6, &[0; PAGE]);
        assert!(written.is_too_long());
        assert_eq!(written.list(|_| true).pages, []);
    }
}
