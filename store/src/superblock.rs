use crate::page::{HEADER, Kind, PAGE, number, put, quad, seal, unseal};
use crate::tree::{Ref, Tree};
use crate::written::{Listed, MAX_LISTED};
use alloc::vec;
use alloc::vec::Vec;

const MAGIC: u64 = u64::from_le_bytes(*b"FataStor");
const VERSION: u64 = 1;

/// Where the numbers of the listed pages begin, of four bytes each.
const LISTED: usize = HEADER + 80;

/// Where the bits begin that choose between the two places of each page of the bitmap.
const SELECTED: usize = LISTED + 4 * MAX_LISTED;

/// How many pages the bitmap may have: the store's size is bounded at 3.3 TiB.
pub(crate) const MAX_BITMAPS: usize = (PAGE - SELECTED) * 8;

/// The most levels a tree can have: more than any disk holds.
pub(crate) const MAX_HEIGHT: u8 = 20;

/// Numbers beyond this were not counted up to: the disk would have worn out long before.
const MAX_NUMBER: u64 = 1 << 62;

/// The state of a store as of one transaction. All else follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Superblock {
    pub(crate) identity: u64,
    pub(crate) pages: u64,
    pub(crate) generation: u64,
    pub(crate) tree: Tree,
    /// The next number that no value had yet.
    pub(crate) next_id: u64,
    /// For each page of the bitmap whether its second place counts.
    pub(crate) selected: Vec<bool>,
    /// Pages that its transaction has written, unless they were flushed before.
    pub(crate) listed: Listed,
}

/// Content of one of the two places for a superblock.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    /// A superblock of another version.
    Foreign,
    Sound(Superblock),
}

impl Superblock {
    pub(crate) fn encode(&self, page: u64) -> Vec<u8> {
        let mut bytes = vec![0; PAGE];
        let numbers = [
            MAGIC,
            VERSION,
            self.identity,
            self.pages,
            self.tree.root.page,
            self.tree.root.generation,
            u64::from(self.tree.height),
            self.next_id,
            self.listed.sum,
            self.listed.pages.len() as u64,
        ];
        for (index, number) in numbers.into_iter().enumerate() {
            put(&mut bytes, HEADER + 8 * index, number);
        }
        for (index, page) in self.listed.pages.iter().enumerate() {
            let number = *page as u32;
            bytes[LISTED + 4 * index..][..4].copy_from_slice(&number.to_le_bytes());
        }
        for (index, selected) in self.selected.iter().enumerate() {
            bytes[SELECTED + index / 8] |= u8::from(*selected) << (index % 8);
        }
        seal(&mut bytes, 0, page, self.generation, Kind::Superblock);
        bytes
    }

    pub(crate) fn decode(bytes: &[u8], page: u64) -> Found {
        let Some(generation) = unseal(bytes, 0, page, Kind::Superblock) else {
            return Found::Nothing;
        };
        let field = |index: usize| number(bytes, HEADER + 8 * index);
        if field(0) != MAGIC {
            return Found::Nothing;
        }
        if field(1) != VERSION {
            return Found::Foreign;
        }
        let height = u8::try_from(field(6)).unwrap_or(u8::MAX);
        let count = field(9);
        let is_possible = height <= MAX_HEIGHT
            && generation.max(field(7)) <= MAX_NUMBER
            && count <= MAX_LISTED as u64;
        if !is_possible {
            return Found::Nothing;
        }
        let listed = (0..count as usize).map(|index| quad(bytes, LISTED + 4 * index).into());
        let selected = (0..MAX_BITMAPS).map(|index| {
            let byte = bytes[SELECTED + index / 8];
            byte >> (index % 8) & 1 == 1
        });
        Found::Sound(Self {
            identity: field(2),
            pages: field(3),
            generation,
            tree: Tree {
                root: Ref {
                    page: field(4),
                    generation: field(5),
                },
                height,
            },
            next_id: field(7),
            selected: selected.collect(),
            listed: Listed {
                pages: listed.collect(),
                sum: field(8),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_superblock_is_read_as_it_was_written() {
        let mut superblock = Superblock {
            identity: 1,
            pages: 2,
            generation: 3,
            tree: Tree {
                root: Ref {
                    page: 4,
                    generation: 5,
                },
                height: 6,
            },
            next_id: 7,
            selected: vec![false; MAX_BITMAPS],
            listed: Listed {
                pages: (1000..1000 + MAX_LISTED as u64).collect(),
                sum: 8,
            },
        };
        superblock.selected[9] = true;
        superblock.selected[MAX_BITMAPS - 1] = true;
        let mut bytes = superblock.encode(1);
        assert_eq!(
            Superblock::decode(&bytes, 1),
            Found::Sound(superblock.clone())
        );
        assert_eq!(Superblock::decode(&bytes, 0), Found::Nothing);
        put(&mut bytes, HEADER + 8, 2);
        assert_eq!(Superblock::decode(&bytes, 1), Found::Nothing);
        seal(&mut bytes, 0, 1, 3, Kind::Superblock);
        assert_eq!(Superblock::decode(&bytes, 1), Found::Foreign);
        put(&mut bytes, HEADER + 8, 1);
        put(&mut bytes, HEADER + 72, MAX_LISTED as u64 + 1);
        seal(&mut bytes, 0, 1, 3, Kind::Superblock);
        assert_eq!(Superblock::decode(&bytes, 1), Found::Nothing);
        superblock.tree.height = MAX_HEIGHT + 1;
        let bytes = superblock.encode(0);
        assert_eq!(Superblock::decode(&bytes, 0), Found::Nothing);
    }
}
