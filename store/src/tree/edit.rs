use super::search::{Step, Way, descend};
use super::{Ref, Tree};
use crate::node::{CAPACITY, Node, Spliced};
use crate::superblock::MAX_HEIGHT;
use crate::volume::Volume;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::ops::Range;
use fata_block::Block;
use fata_kv::Error;

/// Nodes that wait in memory to be written: when they are more, they are written early, which
/// does no harm, as nothing on the disk leads to them.
const MAX_DIRTY: usize = 128;

/// A node is joined with one beside it if less than this is in it.
const FEW: usize = CAPACITY / 4;

/// Changes a tree in a transaction: what the last transaction left is copied, never changed.
pub(crate) struct Editor<'a, B> {
    pub(crate) volume: &'a Volume<B>,
    pub(crate) tree: Tree,
    /// Pages that must stay free.
    pub(crate) reserve: u64,
}

/// Nodes that take the place of children: the first key of each but the first, and where they are.
type Children = Vec<(Vec<u8>, Ref)>;

impl<B: Block> Editor<'_, B> {
    /// Gives a key a value, in place of what it has.
    pub(crate) async fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        let Some(way) = descend(self.volume, self.tree, key).await? else {
            let root = self.add(Node::single(0, (key, value)))?;
            self.tree = Tree { root, height: 1 };
            return Ok(());
        };
        let place = match way.leaf.search(key) {
            Ok(index) => index..index + 1,
            Err(index) => index..index,
        };
        let spliced = way.leaf.splice(place, &[(key, value)]);
        self.ascend(way, spliced).await
    }

    /// Removes a key, and tells whether it was there.
    pub(crate) async fn remove(&mut self, key: &[u8]) -> Result<bool, Error> {
        let Some(way) = descend(self.volume, self.tree, key).await? else {
            return Ok(false);
        };
        let Ok(index) = way.leaf.search(key) else {
            return Ok(false);
        };
        let spliced = way.leaf.splice(index..index + 1, &[]);
        self.ascend(way, spliced).await?;
        Ok(true)
    }

    /// Puts what has become of a leaf into the tree, from the leaf up to the root.
    async fn ascend(&mut self, way: Way, mut spliced: Spliced) -> Result<(), Error> {
        let mut old = way.leaf_reference;
        let mut steps = way.steps;
        while let Some(step) = steps.pop() {
            let mut place = step.index..step.index + 1;
            if let Spliced::One(node) = spliced {
                let (joined, wider) = self.join(&step, node).await?;
                (spliced, place) = (Spliced::One(joined), wider);
            }
            let children = self.replace(old, spliced)?;
            if place.len() == 1 && children.len() == 1 && children[0].1 == old {
                return self.spill().await;
            }
            spliced = splice(&step.node, place, &children);
            old = step.reference;
        }
        let children = self.replace(old, spliced)?;
        self.set_root(children)?;
        self.lower_root().await?;
        self.spill().await
    }

    /// Joins a node of few entries with one beside it, if both fit. Tells which of the parent's
    /// children the outcome replaces.
    async fn join(&mut self, parent: &Step, node: Node) -> Result<(Node, Range<usize>), Error> {
        let index = parent.index;
        if node.size() >= FEW || parent.node.count() == 1 {
            return Ok((node, index..index + 1));
        }
        let is_last = index + 1 == parent.node.count();
        let beside = if is_last { index - 1 } else { index + 1 };
        let reference = Ref::decode(parent.node.value(beside));
        let neighbour = self.volume.node(reference).await?;
        if neighbour.level() != node.level() {
            return Err(Error::Damaged);
        }
        let (left, right, place) = if is_last {
            (&*neighbour, &node, beside..index + 1)
        } else {
            (&node, &*neighbour, index..beside + 1)
        };
        let joined = left.merge(right, parent.node.key(place.end - 1));
        match joined {
            Some(joined) => {
                self.release(reference)?;
                Ok((joined, place))
            }
            None => Ok((node, index..index + 1)),
        }
    }

    /// Puts nodes in place of an old one, which keeps its page if it is of this transaction.
    fn replace(&mut self, old: Ref, spliced: Spliced) -> Result<Children, Error> {
        let (first, second) = match spliced {
            Spliced::Empty => {
                self.release(old)?;
                return Ok(Vec::new());
            }
            Spliced::One(first) => (first, None),
            Spliced::Two(first, second) => (first, Some(second)),
        };
        let mut children = Vec::with_capacity(2);
        let key = first.key(0).to_vec();
        if old.generation == self.volume.next_generation.get() {
            let mut dirty = self.volume.dirty.borrow_mut();
            dirty.insert(old.page, Rc::new(first));
            children.push((key, old));
        } else {
            children.push((key, self.add(first)?));
            self.release(old)?;
        }
        if let Some(second) = second {
            children.push((second.key(0).to_vec(), self.add(second)?));
        }
        Ok(children)
    }

    fn add(&self, node: Node) -> Result<Ref, Error> {
        let (page, _) = self.allocate(1)?;
        self.volume.dirty.borrow_mut().insert(page, Rc::new(node));
        Ok(Ref {
            page,
            generation: self.volume.next_generation.get(),
        })
    }

    /// Takes up to `limit` free pages that follow each other.
    pub(crate) fn allocate(&self, limit: u64) -> Result<(u64, u64), Error> {
        let mut bitmap = self.volume.bitmap.borrow_mut();
        let room = bitmap.free().saturating_sub(self.reserve);
        if room == 0 {
            return Err(Error::NoSpace);
        }
        bitmap.allocate(limit.min(room)).ok_or(Error::NoSpace)
    }

    fn release(&self, reference: Ref) -> Result<(), Error> {
        if reference.generation == self.volume.next_generation.get() {
            self.volume.dirty.borrow_mut().remove(&reference.page);
        }
        self.release_page(reference.page)
    }

    /// Gives a page back.
    pub(crate) fn release_page(&self, page: u64) -> Result<(), Error> {
        if self.volume.bitmap.borrow_mut().release(page) {
            Ok(())
        } else {
            Err(Error::Damaged)
        }
    }

    /// Makes what took the root's place the root.
    fn set_root(&mut self, children: Children) -> Result<(), Error> {
        let height = self.tree.height;
        self.tree = match &children[..] {
            [] => Tree::EMPTY,
            [(_, root)] => Tree {
                root: *root,
                height,
            },
            [(first_key, first), (second_key, second), ..] => {
                if height == MAX_HEIGHT {
                    return Err(Error::NoSpace);
                }
                let (first, second) = (first.encode(), second.encode());
                let node = Node::pair(height, [(first_key, &first), (second_key, &second)]);
                Tree {
                    root: self.add(node)?,
                    height: height + 1,
                }
            }
        };
        Ok(())
    }

    /// As long as the root has a single child, that is the root.
    async fn lower_root(&mut self) -> Result<(), Error> {
        while self.tree.height > 1 {
            let root = self.volume.node(self.tree.root).await?;
            if root.count() > 1 {
                break;
            }
            self.release(self.tree.root)?;
            self.tree = Tree {
                root: Ref::decode(root.value(0)),
                height: self.tree.height - 1,
            };
        }
        Ok(())
    }

    async fn spill(&self) -> Result<(), Error> {
        if self.volume.dirty.borrow().len() > MAX_DIRTY {
            self.volume.write_dirty().await?;
        }
        Ok(())
    }
}

/// A parent with other children. The first one keeps the key under which it is found, but for
/// the first of all, which also has what comes before its key.
fn splice(parent: &Node, place: Range<usize>, children: &Children) -> Spliced {
    let encoded: Vec<_> = children
        .iter()
        .map(|(_, reference)| reference.encode())
        .collect();
    let mut entries: Vec<(&[u8], &[u8])> = children
        .iter()
        .zip(&encoded)
        .map(|((key, _), reference)| (&key[..], &reference[..]))
        .collect();
    if let Some(first) = entries.first_mut() {
        first.0 = parent.key(place.start).min(first.0);
    }
    parent.splice(place, &entries)
}
