//! The checksums of a group of sectors, as they lie in one sector.

use alloc::vec;
use alloc::vec::Vec;
use crc32fast::Hasher;

const MAGIC: [u8; 4] = *b"FSum";

/// A sum that every content has.
const ANY: u32 = 0;
/// A sum that no content has.
const NONE: u32 = 1;

/// The checksum of what lies in a sector: CRC-32 of the sector's number and the bytes, so that
/// what went to another place is not taken for sound.
pub(super) fn sum(sector: u64, bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&sector.to_le_bytes());
    hasher.update(bytes);
    without_special(hasher)
}

/// The same of a sector of so many zeroes, a multiple of 512.
pub(super) fn zeroes_sum(sector: u64, length: usize) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&sector.to_le_bytes());
    for _ in 0..length / 512 {
        hasher.update(&[0; 512]);
    }
    without_special(hasher)
}

fn without_special(hasher: Hasher) -> u32 {
    match hasher.finalize() {
        ANY | NONE => NONE + 1,
        sum => sum,
    }
}

/// The possible contents of a sector: those written last, or those before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sums {
    last: u32,
    before: u32,
}

impl Sums {
    /// Nothing is known of a sector: it was never written, or discarded.
    pub(super) const ANY: Self = Self::settled(ANY);
    /// The sector's content is lost.
    pub(super) const LOST: Self = Self::settled(NONE);

    pub(super) const fn settled(sum: u32) -> Self {
        Self {
            last: sum,
            before: sum,
        }
    }

    /// Returns whether no more than one content is possible.
    pub(super) fn is_settled(self) -> bool {
        self.last == self.before
    }

    pub(super) fn accepts(self, sum: u32) -> bool {
        [self.last, self.before]
            .iter()
            .any(|one| *one == sum || *one == ANY)
    }

    /// The possible contents once something with that sum is being written.
    pub(super) fn then(self, sum: u32) -> Self {
        Self {
            last: sum,
            before: self.last,
        }
    }

    /// The possible contents if this is found in the sector, and written again.
    pub(super) fn found(self, sum: u32) -> Self {
        match self {
            Self { last, .. } if last == sum => self,
            Self { before: ANY, .. } => Self {
                last: sum,
                before: ANY,
            },
            Self { last, before } if before == sum => Self {
                last: before,
                before: last,
            },
            _ => Self::LOST,
        }
    }

    /// The possible contents once the last write is durable.
    pub(super) fn settle(self) -> Self {
        Self::settled(self.last)
    }
}

/// The sums of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) sums: Vec<Sums>,
    /// They are not as the disk has them.
    pub(super) is_changed: bool,
}

impl Group {
    /// A group of so many sectors, each of which has these sums.
    pub(super) fn new(count: usize, sums: Sums) -> Self {
        Self {
            sums: vec![sums; count],
            is_changed: true,
        }
    }

    /// The group that lies at some place; `None` if that is damaged.
    pub(super) fn decode(bytes: &[u8], place: u64) -> Option<Self> {
        let number = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let count = bytes.len() / 8 - 1;
        if bytes[4..8] != MAGIC || number(0) != sum(place, &bytes[4..]) {
            return None;
        }
        let sums = (1..=count).map(|index| Sums {
            last: number(8 * index),
            before: number(8 * index + 4),
        });
        Some(Self {
            sums: sums.collect(),
            is_changed: false,
        })
    }

    pub(super) fn encode(&self, place: u64, bytes: &mut Vec<u8>) {
        let start = bytes.len();
        bytes.extend([0; 4]);
        bytes.extend(MAGIC);
        for sums in &self.sums {
            bytes.extend(sums.last.to_le_bytes());
            bytes.extend(sums.before.to_le_bytes());
        }
        let own = sum(place, &bytes[start + 4..]);
        bytes[start..start + 4].copy_from_slice(&own.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_for_a_sector_and_never_a_special_one() {
        assert_ne!(sum(1, &[7; 512]), sum(2, &[7; 512]));
        assert_ne!(sum(1, &[7; 512]), sum(1, &[8; 512]));
        assert_eq!(zeroes_sum(1, 4096), sum(1, &[0; 4096]));
        assert!(!Sums::LOST.accepts(sum(1, &[])));
        assert!(Sums::ANY.accepts(sum(1, &[])));
    }

    #[test]
    fn two_contents_are_possible_until_the_last_is_durable() {
        let sums = Sums::settled(5).then(6);
        assert!(sums.accepts(5) && sums.accepts(6) && !sums.accepts(7));
        assert!(!sums.is_settled());
        assert_eq!(sums.settle(), Sums::settled(6));
        assert!(Sums::ANY.then(5).accepts(9), "it may not be written yet");
    }

    #[test]
    fn a_group_is_read_as_it_was_written() {
        let mut group = Group::new(63, Sums::ANY);
        group.sums[62] = Sums::settled(5).then(6);
        let mut bytes = vec![];
        group.encode(3, &mut bytes);
        assert_eq!(bytes.len(), 512);
        group.is_changed = false;
        assert_eq!(Group::decode(&bytes, 3), Some(group));
        assert_eq!(Group::decode(&bytes, 4), None);
        bytes[100] ^= 1;
        assert_eq!(Group::decode(&bytes, 3), None);
        assert_eq!(Group::decode(&[0; 512], 3), None);
    }
}
