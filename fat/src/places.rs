//! Where the files are that were read lately, so that a read goes on where an earlier one was.
//!
//! A file is a chain of clusters, each of which only the one before it tells of. Whoever serves a
//! large file in small pieces would walk all of that for each piece.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use fata_kv::Key;
use hadris_fat_raw::io::ChainPos;
use hadris_fs::Metadata;

/// Files that are kept.
const KEPT: usize = 64;

/// Places in the chain of a file that are kept, at most: as many clients may each read a part of
/// it of their own.
const MARKS: u64 = 64;

/// A file, as the last change of the volume has left it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) metadata: Metadata,
    /// Its first cluster, if it has one.
    pub(crate) first: u32,
}

#[derive(Debug)]
struct Place {
    found: Found,
    /// Clusters from one mark to the next.
    stride: u32,
    /// In the order of the chain, one for each stride that was passed.
    marks: Vec<ChainPos>,
    /// Where the last read ended.
    last: ChainPos,
    used: u64,
}

/// Files by their keys.
#[derive(Debug, Default)]
pub(crate) struct Places {
    kept: BTreeMap<Key, Place>,
    clock: u64,
}

impl Places {
    /// Forgets all files, as the volume changes.
    pub(crate) fn clear(&mut self) {
        self.kept.clear();
    }

    /// A file, if it is kept.
    pub(crate) fn get(&mut self, key: &Key) -> Option<Found> {
        self.clock += 1;
        let place = self.kept.get_mut(key)?;
        place.used = self.clock;
        Some(place.found)
    }

    /// Keeps a file of so many clusters instead of that which was not used for longest.
    pub(crate) fn keep(&mut self, key: &Key, found: Found, clusters: u64) {
        if self.kept.len() >= KEPT && !self.kept.contains_key(key) {
            let oldest = self.kept.iter().min_by_key(|(_, place)| place.used);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.kept.remove(&oldest);
            }
        }
        self.clock += 1;
        let place = Place {
            found,
            stride: clusters.div_ceil(MARKS).clamp(1, u64::from(u32::MAX)) as u32,
            marks: Vec::new(),
            last: ChainPos::NONE,
            used: self.clock,
        };
        self.kept.insert(key.clone(), place);
    }

    /// The known place that is nearest in front of a cluster of a file, or none, and the cluster up
    /// to which to go on before that is noted.
    pub(crate) fn nearest(&self, key: &Key, wanted: u32) -> (ChainPos, u32) {
        let Some(place) = self.kept.get(key) else {
            return (ChainPos::NONE, wanted);
        };
        let behind = place.marks.partition_point(|mark| mark.index() <= wanted);
        let marks = place.marks[..behind].iter();
        let last = Some(&place.last).filter(|last| last.index() <= wanted);
        let known = marks.chain(last).filter(|place| place.is_known());
        let nearest = known.max_by_key(|place| place.index()).copied();
        let nearest = nearest.unwrap_or(ChainPos::NONE);
        let next = (nearest.index() / place.stride + 1).saturating_mul(place.stride);
        (
            nearest,
            if nearest.is_known() {
                next.min(wanted)
            } else {
                0
            },
        )
    }

    /// Notes a place of a file.
    pub(crate) fn note(&mut self, key: &Key, at: ChainPos) {
        let Some(place) = self.kept.get_mut(key) else {
            return;
        };
        let stride = |at: &ChainPos| at.index() / place.stride;
        let found = place.marks.binary_search_by_key(&stride(&at), stride);
        if let Err(behind) = found {
            place.marks.insert(behind, at);
        }
        place.last = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadris_fs::{FileType, Permissions};

    fn key(number: usize) -> Key {
        alloc::format!("{number}").parse().expect("it is a key")
    }

    fn found() -> Found {
        Found {
            metadata: Metadata::new(FileType::File, Permissions::new(0)),
            first: 2,
        }
    }

    #[test]
    fn the_nearest_place_in_front_is_found() {
        let mut places = Places::default();
        assert_eq!(places.nearest(&key(0), 70), (ChainPos::NONE, 70));
        places.keep(&key(0), found(), 64 * 100);
        assert_eq!(places.nearest(&key(0), 70), (ChainPos::NONE, 0));
        let at = |index| ChainPos::new(index, index + 2);
        for index in [0, 70, 350, 120, 199] {
            places.note(&key(0), at(index));
        }
        for (wanted, expected) in [
            (5, (at(0), 5)),
            (70, (at(0), 70)),
            (130, (at(120), 130)),
            (250, (at(199), 200)),
            (349, (at(199), 200)),
            (350, (at(350), 350)),
            (6000, (at(350), 400)),
        ] {
            assert_eq!(places.nearest(&key(0), wanted), expected, "{wanted}");
        }
        places.clear();
        assert!(places.get(&key(0)).is_none());
    }

    #[test]
    fn files_and_their_places_are_bounded() {
        let mut places = Places::default();
        for number in 0..3 * KEPT {
            places.keep(&key(number), found(), 1000);
            assert!(places.get(&key(0)).is_some(), "it is used all the time");
        }
        assert_eq!(places.kept.len(), KEPT);
        for index in (0..1000).rev() {
            places.note(&key(0), ChainPos::new(index, 2));
        }
        assert!(places.kept[&key(0)].marks.len() as u64 <= MARKS);
    }
}
