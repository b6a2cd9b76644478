use alloc::vec::Vec;
use slab::Slab;

/// Values in the order of their deadlines; those of one deadline in the order in which
/// they came.
///
/// A binary heap whose entries know their places in it, so that a value that is removed
/// leaves at once: most timers are, long before they are due. All changes take time
/// logarithmic in the number of values, and allocate only to hold more of them than ever
/// before.
#[derive(Debug)]
pub struct Deadlines<T, V> {
    entries: Slab<Entry<T, V>>,
    /// Keys of the entries. None is due before the one at half its place.
    heap: Vec<usize>,
    /// Tells values of one deadline apart, and keys of one place.
    serial: u64,
}

#[derive(Debug)]
struct Entry<T, V> {
    due: (T, u64),
    /// Where the entry's key is in the heap.
    place: usize,
    value: V,
}

/// A value's place in [`Deadlines`]. One that is gone is not mistaken for a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadlineKey {
    index: usize,
    serial: u64,
}

impl<T, V> Default for Deadlines<T, V> {
    fn default() -> Self {
        Self {
            entries: Slab::new(),
            heap: Vec::new(),
            serial: 0,
        }
    }
}

impl<T: Ord + Copy, V> Deadlines<T, V> {
    /// Takes in a value that is due at `deadline`.
    pub fn insert(&mut self, deadline: T, value: V) -> DeadlineKey {
        self.serial += 1;
        let place = self.heap.len();
        let index = self.entries.insert(Entry {
            due: (deadline, self.serial),
            place,
            value,
        });
        self.heap.push(index);
        self.rise(place);
        DeadlineKey {
            index,
            serial: self.serial,
        }
    }

    /// A value that was neither removed nor taken yet.
    pub fn get_mut(&mut self, key: &DeadlineKey) -> Option<&mut V> {
        let entry = self.entries.get_mut(key.index)?;
        (entry.due.1 == key.serial).then_some(&mut entry.value)
    }

    /// Removes a value, if it is still there.
    pub fn remove(&mut self, key: &DeadlineKey) -> Option<V> {
        self.get_mut(key)?;
        Some(self.remove_at(key.index))
    }

    /// The first deadline.
    pub fn next(&self) -> Option<T> {
        let first = self.heap.first()?;
        Some(self.entries[*first].due.0)
    }

    /// Takes the first value that is due at `now`.
    pub fn expire(&mut self, now: T) -> Option<V> {
        let due = self.next()? <= now;
        due.then(|| self.remove_at(self.heap[0]))
    }

    fn remove_at(&mut self, index: usize) -> V {
        let entry = self.entries.remove(index);
        // The last key takes its place, and moves from there to where it belongs.
        self.heap.swap_remove(entry.place);
        if entry.place < self.heap.len() {
            self.rise(entry.place);
            self.sink(entry.place);
        }
        entry.value
    }

    fn due(&self, place: usize) -> (T, u64) {
        self.entries[self.heap[place]].due
    }

    fn rise(&mut self, mut place: usize) {
        while place > 0 && self.due(place) < self.due((place - 1) / 2) {
            self.swap(place, (place - 1) / 2);
            place = (place - 1) / 2;
        }
        self.note(place);
    }

    fn sink(&mut self, mut place: usize) {
        loop {
            let children = 2 * place + 1..(2 * place + 3).min(self.heap.len());
            let first = children.min_by_key(|child| self.due(*child));
            match first {
                Some(child) if self.due(child) < self.due(place) => {
                    self.swap(place, child);
                    place = child;
                }
                _ => return self.note(place),
            }
        }
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.heap.swap(one, other);
        self.note(one);
        self.note(other);
    }

    fn note(&mut self, place: usize) {
        self.entries[self.heap[place]].place = place;
    }
}

#[cfg(test)]
mod tests {
    use super::{DeadlineKey, Deadlines};
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::vec::Vec;

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u64),
        Remove(usize),
        Expire(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0..50u64).prop_map(Step::Insert),
            1 => any::<usize>().prop_map(Step::Remove),
            2 => (0..50u64).prop_map(Step::Expire),
        ]
    }

    proptest! {
        #[test]
        fn order_is_that_of_a_sorted_map(steps in proptest::collection::vec(step(), 0..200)) {
            let mut deadlines = Deadlines::default();
            let mut model: BTreeMap<(u64, usize), ()> = BTreeMap::new();
            let mut keys: Vec<(DeadlineKey, (u64, usize))> = Vec::new();
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Insert(deadline) => {
                        keys.push((deadlines.insert(deadline, number), (deadline, number)));
                        model.insert((deadline, number), ());
                    }
                    Step::Remove(_) if keys.is_empty() => {}
                    Step::Remove(which) => {
                        let (key, entry) = &keys[which % keys.len()];
                        let there = model.remove(entry).map(|()| entry.1);
                        prop_assert_eq!(deadlines.get_mut(key).copied(), there);
                        prop_assert_eq!(deadlines.remove(key), there);
                    }
                    Step::Expire(now) => {
                        let first = model.first_entry().filter(|first| first.key().0 <= now);
                        let first = first.map(|first| first.remove_entry().0.1);
                        prop_assert_eq!(deadlines.expire(now), first);
                    }
                }
                let first = model.keys().next().map(|(deadline, _)| *deadline);
                prop_assert_eq!(deadlines.next(), first);
                prop_assert_eq!(deadlines.entries.len(), model.len());
                prop_assert_eq!(deadlines.heap.len(), model.len());
            }
        }
    }
}
