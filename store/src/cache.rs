use crate::node::Node;
use crate::tree::Ref;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;

/// The nodes that were used of late, at most so many. Those that were not used since the hand of
/// the clock passed them last make room for others.
#[derive(Debug)]
pub(crate) struct Cache {
    limit: usize,
    slots: Vec<Slot>,
    index: BTreeMap<Ref, usize>,
    hand: usize,
}

#[derive(Debug)]
struct Slot {
    reference: Ref,
    node: Rc<Node>,
    was_used: bool,
}

impl Cache {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            slots: Vec::new(),
            index: BTreeMap::new(),
            hand: 0,
        }
    }

    pub(crate) fn get(&mut self, reference: Ref) -> Option<Rc<Node>> {
        let slot = &mut self.slots[*self.index.get(&reference)?];
        slot.was_used = true;
        Some(Rc::clone(&slot.node))
    }

    pub(crate) fn insert(&mut self, reference: Ref, node: Rc<Node>) {
        let slot = Slot {
            reference,
            node,
            was_used: false,
        };
        if let Some(place) = self.index.get(&reference) {
            self.slots[*place] = slot;
            return;
        }
        let place = if self.slots.len() < self.limit {
            self.slots.push(slot);
            self.slots.len() - 1
        } else {
            let place = self.make_room();
            self.slots[place] = slot;
            place
        };
        self.index.insert(reference, place);
    }

    fn make_room(&mut self) -> usize {
        loop {
            let place = self.hand;
            self.hand = (self.hand + 1) % self.slots.len();
            let slot = &mut self.slots[place];
            if !core::mem::take(&mut slot.was_used) {
                self.index.remove(&slot.reference);
                return place;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_makes_room() {
        let mut cache = Cache::new(2);
        let reference = |page| Ref {
            page,
            generation: 1,
        };
        let node = |value: &[u8]| Rc::new(Node::single(0, (b"", value)));
        cache.insert(reference(1), node(b"1"));
        cache.insert(reference(2), node(b"2"));
        assert!(cache.get(reference(1)).is_some());
        cache.insert(reference(3), node(b"3"));
        assert!(cache.get(reference(2)).is_none());
        cache.insert(reference(1), node(b"4"));
        assert_eq!(cache.get(reference(1)).unwrap().value(0), b"4");
        assert_eq!(cache.get(reference(3)).unwrap().value(0), b"3");
        assert_eq!((cache.slots.len(), cache.index.len()), (2, 2));
    }
}
