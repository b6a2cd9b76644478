use crate::aside::{Aside, Listing};
use crate::queue::{OwnedChange, Request, run_group};
use crate::reader::Reader;
use crate::room::Room;
use crate::volume::Volume;
use alloc::borrow::ToOwned;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::fmt;
use fata_block::Block;
use fata_kv::{Change, Entry, Error, Key, KvRo, KvRw, Metadata};
use fata_task::Handle;
use fata_task::channel::oneshot::{self, Sender};

/// Bytes of a node in memory.
const NODE_BYTES: usize = 4 << 10;

/// How much memory a store takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Nodes of the tree that are kept in memory, of 4 KiB each. Default: 256.
    pub cached_nodes: usize,
    /// Bytes of the changes that wait for their transaction; who asks for more waits. A batch
    /// with more is refused with [`Error::TooLarge`]. Each change counts 1 KiB besides its
    /// bytes. Default: 2 MiB.
    pub waiting: usize,
}

impl Limits {
    /// Limits with which a store holds at most `bytes`, and at most what the default ones allow.
    pub fn within(bytes: usize) -> Self {
        let most = Self::default();
        Self {
            cached_nodes: most.cached_nodes.min(bytes / 4 / NODE_BYTES),
            waiting: most.waiting.min(bytes / 4 * 3),
        }
    }

    /// Bytes that a store with these limits holds at most.
    pub fn bytes(&self) -> usize {
        self.cached_nodes * NODE_BYTES + self.waiting
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cached_nodes: 256,
            waiting: 2 << 20,
        }
    }
}

/// A key-value store on a disk that loses nothing: see the [crate's documentation](crate).
///
/// Cloning gives another handle to the same store. A disk must not have two stores open.
pub struct Store<B> {
    inner: Rc<Inner<B>>,
}

impl<B> fmt::Debug for Store<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

struct Inner<B> {
    tasks: Handle,
    volume: Volume<B>,
    limits: Limits,
    /// Bytes of changes that may still wait.
    room: Rc<Room>,
    queue: RefCell<VecDeque<Request>>,
    asides: RefCell<VecDeque<Aside>>,
    /// True while a task works on the queues.
    is_working: Cell<bool>,
    /// It is not known what the last transaction has left on the disk.
    is_closed: Cell<bool>,
}

impl<B> Clone for Store<B> {
    fn clone(&self) -> Self {
        Self {
            inner: Rc::clone(&self.inner),
        }
    }
}

/// How full a store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Bytes that the store has for values and what leads to them.
    pub capacity: u64,
    /// Bytes of that which are not in use.
    pub free: u64,
}

impl<B: Block + 'static> Store<B> {
    /// Opens the store on a disk, as its last transaction has left it.
    ///
    /// # Errors
    /// [`Error::NotAStore`], [`Error::NoSectors`], [`Error::Unsupported`] for one of another version
    /// or larger than the disk, [`Error::Damaged`], errors of the disk.
    pub async fn open(tasks: &Handle, disk: B, limits: Limits) -> Result<Self, Error> {
        Ok(Self {
            inner: Rc::new(Inner {
                tasks: tasks.clone(),
                volume: Volume::open(disk, limits.cached_nodes).await?,
                limits,
                room: Rc::new(Room::new(limits.waiting)),
                queue: RefCell::new(VecDeque::new()),
                asides: RefCell::new(VecDeque::new()),
                is_working: Cell::new(false),
                is_closed: Cell::new(false),
            }),
        })
    }

    /// How full the store is now.
    pub fn usage(&self) -> Usage {
        let volume = &self.inner.volume;
        let page = crate::page::PAGE as u64;
        Usage {
            capacity: (volume.layout.pages - volume.layout.first_free()) * page,
            free: volume.bitmap.borrow().free() * page,
        }
    }

    /// Tells the disk which pages are free, so that it can give their room to others or has less
    /// to copy when it tidies up, and returns how many bytes these are. Nothing else does: it is for
    /// now and then, such as once a day or after much was removed.
    ///
    /// Changes go on meanwhile: a part of a few dozen runs of free pages is discarded between
    /// two transactions. Dropping the request leaves the rest undone.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], [`Error::Closed`], errors of the disk. The store is as it was.
    pub async fn trim(&self) -> Result<u64, Error> {
        if self.inner.volume.disk.geometry().read_only {
            return Err(Error::ReadOnly);
        }
        let mut next = Some(0);
        let mut pages = 0;
        while let Some(from) = next {
            let part = self.aside(|reply| Aside::Trim(from, reply)).await?;
            pages += part.pages;
            next = part.next;
        }
        Ok(pages * crate::page::PAGE as u64)
    }

    fn reader(&self) -> Reader<'_, B> {
        Reader::new(&self.inner.volume)
    }

    /// Has something done between two transactions.
    async fn aside<T>(
        &self,
        request: impl FnOnce(Sender<Result<T, Error>>) -> Aside,
    ) -> Result<T, Error> {
        let (reply, outcome) = oneshot::channel().into_split();
        self.inner.ask(request(reply));
        self.work();
        outcome.await.unwrap_or(Err(Error::Closed))
    }

    /// Starts a task for the queues, unless there is one. It ends when they are empty, and
    /// also makes the changes of requests that were dropped.
    fn work(&self) {
        if self.inner.is_working.replace(true) {
            return;
        }
        let inner = Rc::clone(&self.inner);
        self.inner.tasks.spawn_detached(async move {
            inner.work().await;
            inner.is_working.set(false);
        });
    }
}

impl<B: Block> Inner<B> {
    /// Works until there is nothing to do: on a transaction and a request between two in turn, so
    /// that neither waits for the end of the others.
    async fn work(&self) {
        while self.has_work() {
            self.make_changes().await;
            if self.is_closed.get() {
                self.refuse();
                return;
            }
            let aside = self.asides.borrow_mut().pop_front();
            if let Some(request) = aside {
                request.run(&self.volume).await;
            }
        }
    }

    /// Makes the first transaction of those that wait, if there are any.
    async fn make_changes(&self) {
        if self.queue.borrow().is_empty() {
            return;
        }
        if !run_group(&self.volume, &self.queue, self.tasks.wall()).await {
            log::error!("the store is closed: it is not known what is on its disk");
            self.is_closed.set(true);
        }
    }

    fn ask(&self, request: Aside) {
        let mut asides = self.asides.borrow_mut();
        // Nobody waits for those that were dropped, and there could be any number of them.
        asides.retain(Aside::is_wanted);
        asides.push_back(request);
    }

    fn has_work(&self) -> bool {
        !self.queue.borrow().is_empty() || !self.asides.borrow().is_empty()
    }

    /// Answers all that waits for a store that is closed.
    fn refuse(&self) {
        for request in self.queue.take() {
            request.answer(Err(Error::Closed));
        }
        for request in self.asides.take() {
            request.refuse();
        }
    }
}

impl<B: Block + 'static> KvRo for Store<B> {
    async fn metadata(&self, key: &Key) -> Result<Metadata, Error> {
        self.reader().metadata(key).await
    }

    async fn get_range(&self, key: &Key, offset: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        self.reader().get_range(key, offset, buffer).await
    }

    async fn list(&self, key: &Key, after: &str, limit: usize) -> Result<Vec<Entry>, Error> {
        if let Some(outcome) = self.reader().list(key, after, limit).await {
            return outcome;
        }
        let listing = Listing {
            dictionary: key.clone(),
            after: after.to_owned(),
            limit,
        };
        self.aside(|reply| Aside::List(listing, reply)).await
    }
}

impl<B: Block + 'static> KvRw for Store<B> {
    async fn batch(&self, changes: &[Change<'_>]) -> Result<(), Error> {
        if self.inner.volume.disk.geometry().read_only {
            return Err(Error::ReadOnly);
        }
        let cost = changes.iter().map(OwnedChange::cost).sum();
        if cost > self.inner.limits.waiting {
            return Err(Error::TooLarge);
        }
        let share = self.inner.room.take(cost).await;
        if self.inner.is_closed.get() {
            return Err(Error::Closed);
        }
        let changes = changes.iter().map(OwnedChange::new);
        let changes = changes.collect::<Result<_, _>>()?;
        let (reply, outcome) = oneshot::channel().into_split();
        self.inner.queue.borrow_mut().push_back(Request {
            changes,
            share,
            reply,
        });
        self.work();
        outcome.await.unwrap_or(Err(Error::Closed))
    }
}
