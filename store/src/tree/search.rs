use super::{Ref, Tree};
use crate::node::Node;
use crate::volume::Volume;
use alloc::rc::Rc;
use alloc::vec::Vec;
use fata_block::Block;
use fata_kv::Error;

/// A node on the way to a key.
pub(super) struct Step {
    pub(super) node: Rc<Node>,
    pub(super) reference: Ref,
    /// Which child the way goes on to.
    pub(super) index: usize,
}

/// The way to a key.
pub(super) struct Way {
    /// From the root down, without the leaf.
    pub(super) steps: Vec<Step>,
    pub(super) leaf: Rc<Node>,
    pub(super) leaf_reference: Ref,
}

impl Way {
    /// Where the next leaf begins, if there is one.
    fn next_leaf(&self) -> Option<&[u8]> {
        let next = |step: &Step| step.index + 1 < step.node.count();
        let step = self.steps.iter().rfind(|step| next(step))?;
        Some(step.node.key(step.index + 1))
    }
}

/// The keys that a node may have: from the first on, below the second.
#[derive(Clone, Default)]
pub(crate) struct Bounds {
    from: Option<(Rc<Node>, usize)>,
    below: Option<(Rc<Node>, usize)>,
}

impl Bounds {
    /// Tells whether a node keeps to them. As bounds of nodes side by side exclude each other, none
    /// is met twice, also in a tree that an enemy has made.
    pub(crate) fn hold(&self, node: &Node) -> bool {
        let (first, last) = (node.key(0), node.key(node.count() - 1));
        let from = self.from.as_ref();
        let below = self.below.as_ref();
        from.is_none_or(|(node, index)| node.key(*index) <= first)
            && below.is_none_or(|(node, index)| last < node.key(*index))
    }

    /// Those of one of a node's children. The first one takes all that comes before it.
    pub(crate) fn narrow(&mut self, node: &Rc<Node>, index: usize) {
        if index > 0 {
            self.from = Some((Rc::clone(node), index));
        }
        if index + 1 < node.count() {
            self.below = Some((Rc::clone(node), index + 1));
        }
    }
}

/// Goes down to the leaf that has a key, or would have it. `None` in an empty tree.
pub(super) async fn descend<B: Block>(
    volume: &Volume<B>,
    tree: Tree,
    key: &[u8],
) -> Result<Option<Way>, Error> {
    let mut steps = Vec::new();
    let mut bounds = Bounds::default();
    let mut reference = tree.root;
    for level in (0..tree.height).rev() {
        let node = volume.node(reference).await?;
        if node.level() != level || !bounds.hold(&node) {
            return Err(Error::Damaged);
        }
        if level == 0 {
            return Ok(Some(Way {
                steps,
                leaf: node,
                leaf_reference: reference,
            }));
        }
        let index = node.child(key);
        bounds.narrow(&node, index);
        let child = Ref::decode(node.value(index));
        steps.push(Step {
            node,
            reference,
            index,
        });
        reference = child;
    }
    Ok(None)
}

/// The value of a key.
pub(crate) async fn get<B: Block>(
    volume: &Volume<B>,
    tree: Tree,
    key: &[u8],
) -> Result<Option<Vec<u8>>, Error> {
    let Some(way) = descend(volume, tree, key).await? else {
        return Ok(None);
    };
    let found = way.leaf.search(key).ok();
    Ok(found.map(|index| way.leaf.value(index).to_vec()))
}

/// The first key from `key` on, with its value.
pub(crate) async fn seek<B: Block>(
    volume: &Volume<B>,
    tree: Tree,
    key: &[u8],
) -> Result<Option<(Vec<u8>, Vec<u8>)>, Error> {
    let Some(mut way) = descend(volume, tree, key).await? else {
        return Ok(None);
    };
    let mut index = way.leaf.search(key).unwrap_or_else(|index| index);
    if index == way.leaf.count() {
        let Some(next) = way.next_leaf().map(<[u8]>::to_vec) else {
            return Ok(None);
        };
        way = descend(volume, tree, &next).await?.ok_or(Error::Damaged)?;
        index = 0;
    }
    let (key, value) = way.leaf.entry(index);
    Ok(Some((key.to_vec(), value.to_vec())))
}
