//! State that the handles to a queue share, and the changes of it that wait.

use crate::Error;
use crate::index::Entry;
use crate::room::{Extent, Room};
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use fata_block::{Block, Geometry};
use fata_task::channel::oneshot::Sender;
use fata_task::{Handle, Semaphore, Waiters};

/// State that the handles to a queue share.
pub(crate) struct Shared<B> {
    pub(crate) disk: B,
    pub(crate) geometry: Geometry,
    /// Sectors of the disk that the queue uses.
    pub(crate) sectors: u64,
    pub(crate) tasks: Handle,
    pub(crate) room: Rc<Room>,
    pub(crate) state: RefCell<State>,
    /// Downloads that wait for an item.
    pub(crate) waiting: Waiters,
    pub(crate) uploads: Semaphore,
    pub(crate) downloads: Semaphore,
}

/// An item that was uploaded.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) extent: Rc<Extent>,
    pub(crate) length: u64,
    pub(crate) checksum: u64,
}

pub(crate) struct State {
    /// The number of the oldest item.
    pub(crate) first: u64,
    pub(crate) items: VecDeque<Rc<Item>>,
    /// The item that was last given to a client.
    pub(crate) handed_out: Option<u64>,
    /// Of the index that was last written, or begun to be.
    pub(crate) generation: u64,
    /// The slot that the next index is written to.
    pub(crate) slot: u64,
    /// Changes that the next index is to make.
    pub(crate) pending: Vec<Request>,
    /// True while a task writes indices.
    pub(crate) is_committing: bool,
    /// Items that an index names whose writing has failed.
    pub(crate) doubtful: Vec<Rc<Item>>,
    pub(crate) flushes: Flushes,
}

/// Which flushes have made what durable. Flushes are numbered from 1 on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flushes {
    pub(crate) begun: u64,
    /// The last one that succeeded.
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
}

/// A change of the index that a task waits for.
pub(crate) struct Request {
    pub(crate) change: Change,
    pub(crate) reply: Sender<Result<(), Error>>,
}

pub(crate) enum Change {
    /// Puts an item behind the others.
    Add {
        item: Rc<Item>,
        /// How many flushes had begun when its data was written.
        written: u64,
        /// How many flushes had failed when its upload began.
        failed: u64,
    },
    /// Removes the oldest item if that is its number.
    Remove(u64),
    /// Only has an index written.
    Nothing,
}

impl State {
    /// The number of the oldest item, if a client has got that.
    pub(crate) fn removable(&self) -> Option<u64> {
        let number = self.first;
        (!self.items.is_empty() && self.handed_out == Some(number)).then_some(number)
    }
}

impl Item {
    pub(crate) fn entry(&self) -> Entry {
        Entry {
            start: self.extent.start(),
            length: self.length,
            checksum: self.checksum,
        }
    }
}

impl Change {
    pub(crate) fn item(&self) -> Option<&Rc<Item>> {
        match self {
            Self::Add { item, .. } => Some(item),
            Self::Remove(_) | Self::Nothing => None,
        }
    }
}

impl<B: Block + 'static> Shared<B> {
    pub(crate) async fn flush(&self) -> Result<(), fata_block::Error> {
        let number = {
            let flushes = &mut self.state.borrow_mut().flushes;
            flushes.begun += 1;
            flushes.begun
        };
        let flushed = self.disk.flush().await;
        let flushes = &mut self.state.borrow_mut().flushes;
        match flushed {
            Ok(()) => flushes.succeeded = number,
            Err(_) => flushes.failed += 1,
        }
        flushed
    }
}
