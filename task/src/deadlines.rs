use alloc::vec::Vec;
use fata_memory::can_grow;
use slab::Slab;

/// Values in the order of their deadlines; those of one deadline in the order in which
/// they came.
///
/// A heap whose entries know their places in it, so that a value that is removed leaves at
/// once: most timers are, long before they are due. All changes take time logarithmic in the
/// number of values, and allocate only to hold more of them than ever before.
#[derive(Debug)]
pub struct Deadlines<T, V> {
    entries: Slab<Entry<V>>,
    /// None is due before its parent, which is at a quarter of its place.
    heap: Vec<Node<T>>,
    /// Tells values of one deadline apart, and keys of one place.
    serial: u64,
}

#[derive(Debug)]
struct Entry<V> {
    /// Where its node is in the heap.
    place: usize,
    serial: u64,
    value: V,
}

/// Deadlines lie side by side, so that they are compared without a look at the entries.
#[derive(Clone, Copy, Debug)]
struct Node<T> {
    due: (T, u64),
    entry: usize,
}

/// How many nodes have one parent.
const CHILDREN: usize = 4;

/// A value's place in [`Deadlines`]. One that is gone is not mistaken for a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadlineKey {
    index: usize,
    serial: u64,
}

impl<T: Ord + Copy, V> Default for Deadlines<T, V> {
    fn default() -> Self {
        Self::with_capacity(0)
    }
}

impl<T: Ord + Copy, V> Deadlines<T, V> {
    /// One with memory for so many values.
    pub fn with_capacity(values: usize) -> Self {
        Self {
            entries: Slab::with_capacity(values),
            heap: Vec::with_capacity(values),
            serial: 0,
        }
    }

    /// Sees to it that there is memory for more than `values`. Returns whether there is.
    pub fn make_room(&mut self, values: usize) -> bool {
        let (entries, heap) = (&mut self.entries, &mut self.heap);
        let can_grow = can_grow::<Entry<V>>(values, entries.capacity())
            && can_grow::<Node<T>>(values, heap.capacity());
        if can_grow {
            entries.reserve((values + 1).saturating_sub(entries.len()));
            heap.reserve((values + 1).saturating_sub(heap.len()));
        }
        can_grow
    }

    /// Takes in a value that is due at `deadline`.
    pub fn insert(&mut self, deadline: T, value: V) -> DeadlineKey {
        self.serial += 1;
        let serial = self.serial;
        let place = self.heap.len();
        let index = self.entries.insert(Entry {
            place,
            serial,
            value,
        });
        let node = Node {
            due: (deadline, serial),
            entry: index,
        };
        self.heap.push(node);
        self.rise(place, node);
        DeadlineKey { index, serial }
    }

    /// A value that was neither removed nor taken yet.
    pub fn get_mut(&mut self, key: &DeadlineKey) -> Option<&mut V> {
        let entry = self.entries.get_mut(key.index)?;
        (entry.serial == key.serial).then_some(&mut entry.value)
    }

    /// Removes a value, if it is still there.
    pub fn remove(&mut self, key: &DeadlineKey) -> Option<V> {
        self.get_mut(key)?;
        Some(self.remove_at(key.index))
    }

    /// The first deadline.
    pub fn next(&self) -> Option<T> {
        self.heap.first().map(|first| first.due.0)
    }

    /// Takes the first value that is due at `now`.
    pub fn expire(&mut self, now: T) -> Option<V> {
        let first = self.heap.first()?;
        let (due, entry) = (first.due.0 <= now, first.entry);
        due.then(|| self.remove_at(entry))
    }

    fn remove_at(&mut self, index: usize) -> V {
        let entry = self.entries.remove(index);
        // The last node takes its place, and moves from there to where it belongs.
        self.heap.swap_remove(entry.place);
        if let Some(node) = self.heap.get(entry.place).copied() {
            let place = self.rise(entry.place, node);
            self.sink(place, node);
        }
        entry.value
    }

    /// Moves a node from `place` up to where it belongs. Returns where that is.
    fn rise(&mut self, mut place: usize, node: Node<T>) -> usize {
        while place > 0 {
            let above = (place - 1) / CHILDREN;
            let parent = self.heap[above];
            if parent.due <= node.due {
                break;
            }
            self.put(place, parent);
            place = above;
        }
        self.put(place, node);
        place
    }

    /// Moves a node from `place` down to where it belongs.
    fn sink(&mut self, mut place: usize, node: Node<T>) {
        loop {
            let first = CHILDREN * place + 1;
            let children = self.heap.get(first..).unwrap_or_default();
            let children = children.iter().take(CHILDREN).enumerate();
            let Some((offset, child)) = children.min_by_key(|(_, child)| child.due) else {
                break;
            };
            if node.due <= child.due {
                break;
            }
            let child = *child;
            self.put(place, child);
            place = first + offset;
        }
        self.put(place, node);
    }

    fn put(&mut self, place: usize, node: Node<T>) {
        self.heap[place] = node;
        self.entries[node.entry].place = place;
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
