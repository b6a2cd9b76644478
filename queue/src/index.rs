//! The index as it lies in a slot. See the crate's documentation for the format.

use alloc::vec::Vec;
use core::cmp::Ordering;
use fata_block::Geometry;
use twox_hash::XxHash64;

/// Bytes of a slot.
const SLOT_BYTES: usize = 64 << 10;
const MAGIC: [u8; 8] = *b"FATAQUE1";
const HEADER: usize = 48;
const ENTRY: usize = 24;
/// Where that begins which the checksum covers.
const CHECKED: usize = 16;

/// Most items in a queue.
pub(crate) const MOST_ITEMS: usize = (SLOT_BYTES - HEADER) / ENTRY;

/// Sectors of a slot.
pub(crate) fn slot_sectors(sector_size: usize) -> u64 {
    SLOT_BYTES.div_ceil(sector_size) as u64
}

/// Sectors in front of the data.
pub(crate) fn data_start(sector_size: usize) -> u64 {
    2 * slot_sectors(sector_size)
}

/// Where an item lies, and what it is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Counted from the ring's start.
    pub(crate) start: u64,
    pub(crate) length: u64,
    pub(crate) checksum: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) sector_size: u32,
    /// Of the whole disk.
    pub(crate) sectors: u64,
    pub(crate) generation: u64,
    /// The number of the first entry.
    pub(crate) first: u64,
    pub(crate) entries: Vec<Entry>,
}

/// Content of a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    Valid(Index),
    /// An index that was not written to its end, or was damaged.
    Damaged,
    /// Something else.
    Other,
}

impl Index {
    /// The index of an empty queue on a disk that was blank.
    pub(crate) fn empty(geometry: Geometry) -> Self {
        Self {
            // Sectors of 4 GiB are refused before.
            sector_size: geometry.sector_size as u32,
            sectors: geometry.sectors,
            generation: 1,
            first: 0,
            entries: Vec::new(),
        }
    }

    /// Which of two indices is the newer one. Generations wrap around, so that none of them is
    /// too large, whoever wrote it.
    pub(crate) fn compare_age(&self, other: &Self) -> Ordering {
        let ahead = self.generation.wrapping_sub(other.generation);
        ahead.cast_signed().cmp(&0)
    }

    /// The sectors to write to a slot. There are no more than [`MOST_ITEMS`] entries.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let length = HEADER + ENTRY * self.entries.len();
        let padded = length.next_multiple_of(self.sector_size as usize);
        let mut bytes = Vec::with_capacity(padded);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[0; CHECKED - MAGIC.len()]);
        bytes.extend_from_slice(&self.sector_size.to_le_bytes());
        bytes.extend_from_slice(&(self.entries.len() as u32).to_le_bytes());
        for number in [self.sectors, self.generation, self.first] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for entry in &self.entries {
            for number in [entry.start, entry.length, entry.checksum] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
        }
        let checksum = checksum(&bytes[CHECKED..]);
        bytes[MAGIC.len()..CHECKED].copy_from_slice(&checksum.to_le_bytes());
        bytes.resize(padded, 0);
        bytes
    }
}

impl Slot {
    /// Reads a slot. An index that is valid here need not make sense.
    pub(crate) fn decode(bytes: &[u8]) -> Self {
        if !bytes.starts_with(&MAGIC) {
            return Self::Other;
        }
        decode_index(bytes).map_or(Self::Damaged, Self::Valid)
    }
}

fn decode_index(bytes: &[u8]) -> Option<Index> {
    let count = u32::from_le_bytes(*bytes.get(20..)?.first_chunk()?) as usize;
    if count > MOST_ITEMS {
        return None;
    }
    let checked = bytes.get(CHECKED..HEADER + ENTRY * count)?;
    if number(bytes, MAGIC.len())? != checksum(checked) {
        return None;
    }
    let entry = |index| {
        let at = HEADER + ENTRY * index;
        Some(Entry {
            start: number(bytes, at)?,
            length: number(bytes, at + 8)?,
            checksum: number(bytes, at + 16)?,
        })
    };
    Some(Index {
        sector_size: u32::from_le_bytes(*bytes.get(CHECKED..)?.first_chunk()?),
        sectors: number(bytes, 24)?,
        generation: number(bytes, 32)?,
        first: number(bytes, 40)?,
        entries: (0..count).map(entry).collect::<Option<_>>()?,
    })
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn checksum(bytes: &[u8]) -> u64 {
    XxHash64::oneshot(0, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    fn index(entries: usize) -> Index {
        let entry = |number: u64| Entry {
            start: number,
            length: number * 1000,
            checksum: !number,
        };
        Index {
            sector_size: 512,
            sectors: 1000,
            generation: 7,
            first: 3,
            entries: (0..entries as u64).map(entry).collect(),
        }
    }

    #[test]
    fn comes_back_as_it_was() {
        for entries in [0, 1, 19, 20, MOST_ITEMS] {
            let index = index(entries);
            let bytes = index.encode();
            assert!(bytes.len() <= SLOT_BYTES && bytes.len().is_multiple_of(512));
            assert_eq!(Slot::decode(&bytes), Slot::Valid(index));
        }
    }

    #[test]
    fn a_mix_of_two_indices_is_damaged() {
        let (old, mut new) = (index(100).encode(), index(120));
        new.generation += 1;
        let new = new.encode();
        for torn in 1..new.len() / 512 {
            let mut mixed = new.clone();
            let sector = torn * 512..(torn + 1) * 512;
            mixed[sector.clone()].fill(0);
            if let Some(old) = old.get(sector.clone()) {
                mixed[sector].copy_from_slice(old);
            }
            let unchanged = mixed == new;
            assert_eq!(Slot::decode(&mixed) == Slot::Damaged, !unchanged, "{torn}");
        }
    }

    #[test]
    fn the_next_generation_is_newer_also_behind_the_last_number() {
        for generation in [1, u64::MAX / 2, u64::MAX - 1, u64::MAX] {
            let (mut old, mut new) = (index(0), index(0));
            old.generation = generation;
            new.generation = generation.wrapping_add(1);
            assert_eq!(new.compare_age(&old), Ordering::Greater, "{generation}");
            assert_eq!(old.compare_age(&new), Ordering::Less, "{generation}");
            assert_eq!(old.compare_age(&old), Ordering::Equal, "{generation}");
        }
    }

    #[test]
    fn what_is_no_index_is_told_apart() {
        assert_eq!(Slot::decode(&[]), Slot::Other);
        assert_eq!(Slot::decode(&vec![0; SLOT_BYTES]), Slot::Other);
        assert_eq!(Slot::decode(&MAGIC), Slot::Damaged);
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            has_magic: bool,
        ) {
            let bytes = if has_magic { [&MAGIC[..], &bytes].concat() } else { bytes };
            prop_assert!(!matches!(Slot::decode(&bytes), Slot::Valid(_)));
        }

        #[test]
        fn every_damaged_bit_is_found(entries in 0..50_usize, place: proptest::sample::Index) {
            let index = index(entries);
            let mut bytes = index.encode();
            let bit = place.index((HEADER + ENTRY * entries) * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!matches!(Slot::decode(&bytes), Slot::Valid(_)));
        }
    }
}
