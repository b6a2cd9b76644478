//! Nodes of the tree: sorted entries of keys and values in a page.

use crate::page::{HEADER, PAGE, short};
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// Bytes that an entry takes besides its key and value: where it is, and both lengths.
const ENTRY: usize = 6;

/// Bytes for entries.
pub(crate) const CAPACITY: usize = PAGE - HEADER;

/// The most that an entry takes. As it is less than half a node, a node that is too full by an
/// entry can always be split in two.
pub(crate) const MAX_ENTRY: usize = CAPACITY / 2;

/// The longest key.
const MAX_KEY: usize = CAPACITY / 4;

const LEVEL: usize = 25;
const COUNT: usize = 26;

/// An entry that is put into a node.
pub(crate) type Entry<'a> = (&'a [u8], &'a [u8]);

/// A node whose structure was checked, with at least one entry. Those of level 0, the leaves,
/// hold what the tree is for; the values in the others lead to nodes of the level below.
#[derive(Debug)]
pub(crate) struct Node {
    bytes: Vec<u8>,
}

/// Nodes that a changed node becomes: none if it is empty, two if it was too full.
#[derive(Debug)]
pub(crate) enum Spliced {
    Empty,
    One(Node),
    Two(Node, Node),
}

impl Node {
    /// A node of these entries, which are sorted and fit.
    fn encode(level: u8, entries: &[Entry<'_>]) -> Self {
        let mut bytes = vec![0; PAGE];
        bytes[LEVEL] = level;
        put_short(&mut bytes, COUNT, entries.len());
        let mut end = HEADER + 2 * entries.len();
        for (index, (key, value)) in entries.iter().enumerate() {
            put_short(&mut bytes, HEADER + 2 * index, end);
            put_short(&mut bytes, end, key.len());
            put_short(&mut bytes, end + 2, value.len());
            end += 4;
            for part in [key, value] {
                bytes[end..end + part.len()].copy_from_slice(part);
                end += part.len();
            }
        }
        Self { bytes }
    }

    /// A node with one entry.
    pub(crate) fn single(level: u8, entry: Entry<'_>) -> Self {
        Self::encode(level, &[entry])
    }

    /// A node with two entries.
    pub(crate) fn pair(level: u8, entries: [Entry<'_>; 2]) -> Self {
        Self::encode(level, &entries)
    }

    /// The node in a page; `None` if its structure is not sound.
    pub(crate) fn decode(bytes: Vec<u8>) -> Option<Self> {
        let node = Self { bytes };
        let count = node.count();
        if node.bytes.len() != PAGE || count == 0 || HEADER + 2 * count > PAGE {
            return None;
        }
        for index in 0..count {
            let start = node.start(index);
            if start < HEADER + 2 * count || start + 4 > PAGE {
                return None;
            }
            let lengths = short(&node.bytes, start) + short(&node.bytes, start + 2);
            if start + 4 + lengths > PAGE || ENTRY + lengths > MAX_ENTRY {
                return None;
            }
            if node.key(index).len() > MAX_KEY {
                return None;
            }
            if node.level() > 0 && node.value(index).len() != 16 {
                return None;
            }
            if index > 0 && node.key(index - 1) >= node.key(index) {
                return None;
            }
        }
        // Entries that overlap could be too many to be put together again.
        (node.size() <= CAPACITY).then_some(node)
    }

    /// The page of it, with an empty header.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn level(&self) -> u8 {
        self.bytes[LEVEL]
    }

    pub(crate) fn count(&self) -> usize {
        short(&self.bytes, COUNT)
    }

    fn start(&self, index: usize) -> usize {
        short(&self.bytes, HEADER + 2 * index)
    }

    pub(crate) fn key(&self, index: usize) -> &[u8] {
        let start = self.start(index);
        &self.bytes[start + 4..][..short(&self.bytes, start)]
    }

    pub(crate) fn value(&self, index: usize) -> &[u8] {
        let start = self.start(index);
        let key = short(&self.bytes, start);
        &self.bytes[start + 4 + key..][..short(&self.bytes, start + 2)]
    }

    pub(crate) fn entry(&self, index: usize) -> Entry<'_> {
        (self.key(index), self.value(index))
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        (0..self.count()).map(|index| self.entry(index))
    }

    /// How much the entries take.
    pub(crate) fn size(&self) -> usize {
        self.entries().map(size).sum()
    }

    /// Where a key is, or would be.
    pub(crate) fn search(&self, key: &[u8]) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.count());
        while low < high {
            let middle = (low + high) / 2;
            match self.key(middle).cmp(key) {
                core::cmp::Ordering::Less => low = middle + 1,
                core::cmp::Ordering::Equal => return Ok(middle),
                core::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// The child that leads to a key: the last that does not begin after it.
    pub(crate) fn child(&self, key: &[u8]) -> usize {
        match self.search(key) {
            Ok(index) => index,
            Err(index) => index.saturating_sub(1),
        }
    }

    /// The node with other entries in place of some, at most one more than before.
    pub(crate) fn splice(&self, place: Range<usize>, new: &[Entry<'_>]) -> Spliced {
        let is_append = place.start == self.count();
        let entries: Vec<Entry<'_>> = (0..place.start)
            .map(|index| self.entry(index))
            .chain(new.iter().copied())
            .chain((place.end..self.count()).map(|index| self.entry(index)))
            .collect();
        pack(self.level(), &entries, is_append)
    }

    /// This node and the one after it as one, if not too little room is left in that. In the
    /// parent, `separator` leads to the one after it.
    pub(crate) fn merge(&self, next: &Self, separator: &[u8]) -> Option<Self> {
        let mut entries: Vec<Entry<'_>> = self.entries().chain(next.entries()).collect();
        if self.level() > 0 {
            // The first child of a node may have keys from the parent's separator on.
            entries[self.count()].0 = separator;
        }
        let size: usize = entries.iter().copied().map(size).sum();
        (size <= CAPACITY / 4 * 3).then(|| Self::encode(self.level(), &entries))
    }
}

/// Puts entries into as few nodes as they need. A node that grows at its end is not
/// split in halves.
fn pack(level: u8, entries: &[Entry<'_>], is_append: bool) -> Spliced {
    let total: usize = entries.iter().copied().map(size).sum();
    if entries.is_empty() {
        return Spliced::Empty;
    }
    if total <= CAPACITY {
        return Spliced::One(Node::encode(level, entries));
    }
    let at = if is_append {
        entries.len() - 1
    } else {
        middle(entries, total)
    };
    let (left, right) = entries.split_at(at);
    Spliced::Two(Node::encode(level, left), Node::encode(level, right))
}

/// Where to split so that the larger part is as small as can be.
fn middle(entries: &[Entry<'_>], total: usize) -> usize {
    let mut left = 0;
    for (index, entry) in entries.iter().copied().enumerate() {
        let size = size(entry);
        let with = (left + size).max(total - left - size);
        let without = left.max(total - left);
        if with > without {
            return index;
        }
        left += size;
    }
    entries.len()
}

/// Bytes that an entry takes.
pub(crate) fn size((key, value): Entry<'_>) -> usize {
    ENTRY + key.len() + value.len()
}

fn put_short(bytes: &mut [u8], at: usize, number: usize) {
    bytes[at..at + 2].copy_from_slice(&(number as u16).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(spliced: Spliced) -> Node {
        match spliced {
            Spliced::One(node) => node,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn entries_are_put_found_and_removed() {
        let node = Node::single(0, (b"m", b"1"));
        let node = one(node.splice(0..0, &[(b"c", b"2")]));
        let node = one(node.splice(2..2, &[(b"x", b"3")]));
        assert_eq!(node.count(), 3);
        assert_eq!(node.search(b"m"), Ok(1));
        assert_eq!(node.search(b"d"), Err(1));
        assert_eq!(
            [node.child(b"a"), node.child(b"d"), node.child(b"x")],
            [0, 0, 2]
        );
        let node = one(node.splice(1..2, &[(b"m", b"longer")]));
        assert_eq!(node.value(1), b"longer");
        let node = Node::decode(node.bytes().to_vec()).expect("it is sound");
        let node = one(node.splice(0..2, &[]));
        assert_eq!(node.entry(0), (&b"x"[..], &b"3"[..]));
        assert!(matches!(node.splice(0..1, &[]), Spliced::Empty));
    }

    proptest! {
        /// Nodes of entries as large as can be are split so that both parts fit.
        #[test]
        fn whatever_was_put_together_is_taken_apart(
            entries in proptest::collection::vec((any::<u16>(), 0..MAX_ENTRY - ENTRY - 2), 1..40),
        ) {
            let mut nodes = vec![Node::single(0, (&[0, 0], b""))];
            for (number, size) in entries {
                let value = vec![7; size];
                let node = nodes.swap_remove(usize::from(number) % nodes.len());
                let key = number.to_be_bytes();
                let Err(index) = node.search(&key) else {
                    nodes.push(node);
                    continue;
                };
                match node.splice(index..index, &[(&key, &value)]) {
                    Spliced::Empty => prop_assert!(false),
                    Spliced::One(node) => nodes.push(node),
                    Spliced::Two(left, right) => {
                        prop_assert!(left.size() <= CAPACITY && right.size() <= CAPACITY);
                        prop_assert_eq!(left.count() + right.count(), node.count() + 1);
                        prop_assert!(Node::decode(left.bytes().to_vec()).is_some());
                        nodes.push(left);
                        nodes.push(right);
                    }
                }
            }
        }

        #[test]
        fn any_bytes_are_a_node_or_not(
            bytes in proptest::collection::vec(any::<u8>(), 200),
            count in 0..20u8,
        ) {
            let mut page = bytes.repeat(21);
            page.truncate(PAGE);
            page[COUNT] = count;
            page[COUNT + 1] = 0;
            for index in 0..usize::from(count) {
                page[HEADER + 2 * index + 1] &= 15;
            }
            if let Some(node) = Node::decode(page) {
                prop_assert!(node.entries().count() == usize::from(count));
                prop_assert!(node.search(b"x").is_err());
            }
        }
    }
}
