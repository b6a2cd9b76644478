//! Which sectors of the ring are taken.

use crate::index::MOST_ITEMS;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use core::cell::RefCell;

/// The ring of sectors that items lie in.
#[derive(Debug)]
pub(crate) struct Room {
    /// Sectors in front of the ring.
    before: u64,
    /// Sectors of the ring.
    sectors: u64,
    taken: RefCell<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    /// How many sectors are taken from each start on. They may run over the ring's end.
    runs: BTreeMap<u64, u64>,
    /// How many extents there are, empty ones included.
    extents: usize,
    /// Where the last extent ends: the next one is put behind it if there is room.
    end: u64,
}

/// Sectors that are taken until this is dropped, and with them a place in the index.
#[derive(Debug)]
pub(crate) struct Extent {
    room: Rc<Room>,
    start: u64,
    sectors: u64,
}

impl Room {
    /// A ring of so many sectors, behind `before` others.
    pub(crate) fn new(before: u64, sectors: u64) -> Rc<Self> {
        Rc::new(Self {
            before,
            sectors,
            taken: RefCell::default(),
        })
    }

    /// Takes so many sectors in one piece, wherever they are free. `None` if they are not, or
    /// the index is full.
    pub(crate) fn take(self: &Rc<Self>, sectors: u64) -> Option<Extent> {
        let start = self.taken.borrow().find(sectors, self.sectors)?;
        self.claim(start, sectors)
    }

    /// Takes these sectors. `None` if they are not all there and free, or the index is full.
    pub(crate) fn claim(self: &Rc<Self>, start: u64, sectors: u64) -> Option<Extent> {
        let mut taken = self.taken.borrow_mut();
        if start >= self.sectors || taken.extents >= MOST_ITEMS {
            return None;
        }
        if sectors > 0 && !taken.is_free(start, sectors, self.sectors) {
            return None;
        }
        taken.extents += 1;
        if sectors > 0 {
            taken.runs.insert(start, sectors);
            taken.end = advance(start, sectors, self.sectors);
        }
        Some(Extent {
            room: Rc::clone(self),
            start,
            sectors,
        })
    }
}

impl Taken {
    /// Where so many sectors of `ring` are free, behind the last extent if possible.
    fn find(&self, sectors: u64, ring: u64) -> Option<u64> {
        let last = self.runs.range(..=self.end).next_back();
        let Some((&origin, _)) = last.or(self.runs.last_key_value()) else {
            return (sectors <= ring).then_some(self.end);
        };
        let behind = self.runs.range(origin..);
        let before = self.runs.range(..origin);
        behind.chain(before).find_map(|(&start, &count)| {
            let free = self.distance_to_next(start, ring) - count;
            (sectors <= free).then(|| advance(start, count, ring))
        })
    }

    /// How far it is from a run's start to the next one's.
    fn distance_to_next(&self, start: u64, ring: u64) -> u64 {
        let next = self.runs.range(start + 1..).next();
        match next.or(self.runs.first_key_value()) {
            Some((&next, _)) if next != start => distance(start, next, ring),
            _ => ring,
        }
    }

    fn is_free(&self, start: u64, sectors: u64, ring: u64) -> bool {
        let before = self.runs.range(..=start).next_back();
        let Some((&before, &count)) = before.or(self.runs.last_key_value()) else {
            return sectors <= ring;
        };
        let behind = self.runs.range(start..).next();
        let Some((&behind, _)) = behind.or(self.runs.first_key_value()) else {
            return false;
        };
        count <= distance(before, start, ring) && sectors <= distance(start, behind, ring)
    }
}

/// How many sectors it is from one place in the ring forward to another.
fn distance(from: u64, to: u64, ring: u64) -> u64 {
    if to >= from {
        to - from
    } else {
        ring - from + to
    }
}

/// A place in the ring, so many sectors on; no more than the ring has.
fn advance(from: u64, sectors: u64, ring: u64) -> u64 {
    let until_end = ring - from;
    if sectors < until_end {
        from + sectors
    } else {
        sectors - until_end
    }
}

impl Extent {
    /// Where it begins in the ring.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// The sector of the disk that is this many sectors behind the extent's start, and how many
    /// follow it on the disk before the extent or the ring ends, itself included.
    pub(crate) fn run(&self, offset: u64) -> (u64, u64) {
        let ring = self.room.sectors;
        let place = advance(self.start, offset, ring);
        let run = (self.sectors - offset).min(ring - place);
        (self.room.before + place, run)
    }
}

impl Drop for Extent {
    fn drop(&mut self) {
        let mut taken = self.room.taken.borrow_mut();
        taken.extents -= 1;
        if self.sectors > 0 {
            taken.runs.remove(&self.start);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::VecDeque;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[test]
    fn extents_follow_each_other_around_the_ring() {
        let room = Room::new(10, 100);
        let mut extents: VecDeque<Extent> = VecDeque::new();
        for round in 0..50 {
            if extents.len() == 3 {
                extents.pop_front();
            }
            let extent = room.take(30).expect("there is room for three");
            assert_eq!(extent.start(), round * 30 % 100);
            extents.push_back(extent);
        }
        assert!(room.take(11).is_none());
        assert!(room.take(10).is_some());
    }

    #[test]
    fn an_extent_runs_over_the_end() {
        let room = Room::new(10, 100);
        let extent = room.claim(95, 20).expect("it is free");
        assert_eq!(extent.run(0), (105, 5));
        assert_eq!(extent.run(3), (108, 2));
        assert_eq!(extent.run(5), (10, 15));
        assert_eq!(extent.run(20), (25, 0));
        assert!(room.claim(14, 1).is_none());
        assert!(room.claim(15, 81).is_none());
        assert!(room.claim(15, 80).is_some());
    }

    #[test]
    fn what_is_not_there_cannot_be_claimed() {
        let room = Room::new(0, 100);
        let refused = || {
            for (start, sectors) in [
                (100, 0),
                (100, 1),
                (0, 101),
                (u64::MAX, 1),
                (0, u64::MAX),
                (99, u64::MAX),
            ] {
                assert!(room.claim(start, sectors).is_none(), "{start} {sectors}");
            }
        };
        refused();
        let other = room.claim(50, 5).expect("it is free");
        refused();
        drop(other);
        assert!(room.take(101).is_none());
        assert!(room.take(u64::MAX).is_none());
        assert!(room.take(100).is_some());
    }

    #[test]
    fn the_index_has_an_end() {
        let room = Room::new(0, 100);
        let mut extents: Vec<Extent> = (0..MOST_ITEMS)
            .map(|_| room.take(0).expect("there is a place"))
            .collect();
        assert!(room.take(0).is_none());
        extents.pop();
        assert!(room.take(0).is_some());
    }

    proptest! {
        /// Against a table of sectors: none is taken twice, and what fits is found.
        #[test]
        fn agrees_with_a_table(
            steps in proptest::collection::vec((any::<bool>(), 0..20_u64, any::<usize>()), 1..200),
        ) {
            const RING: u64 = 40;
            let room = Room::new(5, RING);
            let mut table = [false; RING as usize];
            let mut extents: Vec<Extent> = vec![];
            for (takes, sectors, which) in steps {
                if takes {
                    let free = |start: u64| {
                        (0..sectors).all(|offset| !table[((start + offset) % RING) as usize])
                    };
                    let fits = (0..RING).any(free);
                    let extent = room.take(sectors);
                    prop_assert_eq!(extent.is_some(), fits);
                    let Some(extent) = extent else { continue };
                    for offset in 0..sectors {
                        let (sector, run) = extent.run(offset);
                        prop_assert!(run > 0);
                        let place = &mut table[sector as usize - 5];
                        prop_assert!(!core::mem::replace(place, true));
                    }
                    extents.push(extent);
                } else if !extents.is_empty() {
                    let extent = extents.swap_remove(which % extents.len());
                    for offset in 0..extent.sectors {
                        table[extent.run(offset).0 as usize - 5] = false;
                    }
                }
            }
        }
    }
}
