//! The tree: keys and values of bytes, in order of keys.

mod edit;
mod search;

pub(crate) use edit::Editor;
pub(crate) use search::{Bounds, get, seek};

use crate::page::{number, put};

/// Leads to a node: its page, and the transaction that wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ref {
    pub(crate) page: u64,
    pub(crate) generation: u64,
}

impl Ref {
    pub(crate) fn encode(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        put(&mut bytes, 0, self.page);
        put(&mut bytes, 8, self.generation);
        bytes
    }

    /// Decodes a value of a node that was checked.
    pub(crate) fn decode(bytes: &[u8]) -> Self {
        Self {
            page: number(bytes, 0),
            generation: number(bytes, 8),
        }
    }
}

/// A tree on the disk: one of no levels is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tree {
    pub(crate) root: Ref,
    pub(crate) height: u8,
}

impl Tree {
    pub(crate) const EMPTY: Self = Self {
        root: Ref {
            page: 0,
            generation: 0,
        },
        height: 0,
    };
}
