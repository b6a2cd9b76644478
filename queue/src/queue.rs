use crate::open::Found;
use crate::room::Extent;
use crate::shared::{Change, Flushes, Shared, State};
use crate::{Download, Error, OpenError, Upload, open};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt;
use fata_block::Block;
use fata_task::{Handle, Semaphore, Waiters};

/// A queue of items on a disk. Clones are handles to the same queue.
///
/// Work that is under way when a handle is dropped goes on to its end.
pub struct Queue<B> {
    pub(crate) shared: Rc<Shared<B>>,
}

impl<B> fmt::Debug for Queue<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

impl<B> Clone for Queue<B> {
    fn clone(&self) -> Self {
        Self {
            shared: Rc::clone(&self.shared),
        }
    }
}

impl<B: Block + 'static> Queue<B> {
    /// Opens the queue on a disk, or makes one if the disk is blank.
    ///
    /// At most `transfers` uploads and as many downloads have data in memory at once,
    /// [`TRANSFER_BYTES`](crate::TRANSFER_BYTES) each; further ones wait, the oldest first.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was written then, unless the disk failed.
    pub async fn open(disk: B, tasks: Handle, transfers: usize) -> Result<Self, OpenError> {
        let Found {
            index,
            slot,
            is_new,
        } = open::find(&disk).await?;
        let geometry = disk.geometry();
        let (room, items) = open::restore(&index)?;
        log::info!(
            target: "queue",
            "{}: {} items, {} bytes of disk",
            if is_new { "made a queue" } else { "opened the queue" },
            items.len(),
            geometry.bytes()
        );
        let state = State {
            first: index.first,
            items: items.into(),
            handed_out: None,
            generation: index.generation,
            slot: 1 - slot,
            pending: Vec::new(),
            is_committing: false,
            doubtful: Vec::new(),
            flushes: Flushes::default(),
        };
        let shared = Shared {
            disk,
            geometry,
            sectors: index.sectors,
            tasks,
            room,
            state: RefCell::new(state),
            waiting: Waiters::default(),
            uploads: Semaphore::new(transfers),
            downloads: Semaphore::new(transfers),
        };
        Ok(Self {
            shared: Rc::new(shared),
        })
    }

    /// How many items are in the queue.
    pub fn len(&self) -> usize {
        self.shared.state.borrow().items.len()
    }

    /// Returns true if there are no items in the queue.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many uploads wait for their turn. Who begins uploads for others bounds that: each holds
    /// memory of its own.
    pub fn waiting(&self) -> usize {
        self.shared.uploads.waiting()
    }

    /// Begins an upload of `length` bytes: takes its room and its place in the index, then waits
    /// for its turn. If the upload is dropped, both are free again.
    ///
    /// # Errors
    /// [`Error::Full`] at once if there is no room; [`Error::Disk`].
    pub async fn upload(&self, length: u64) -> Result<Upload<B>, Error> {
        let extent = self.take_room(length).await?;
        let permit = self.shared.uploads.acquire().await;
        Ok(Upload::new(Rc::clone(&self.shared), extent, permit, length))
    }

    async fn take_room(&self, length: u64) -> Result<Extent, Error> {
        let shared = &self.shared;
        let sectors = length.div_ceil(shared.geometry.sector_size as u64);
        if let Some(extent) = shared.room.take(sectors) {
            return Ok(extent);
        }
        if shared.state.borrow().doubtful.is_empty() {
            return Err(Error::Full);
        }
        // Room that only an index of unknown fate refers to becomes free with the next one.
        shared.change(Change::Nothing).await?;
        shared.room.take(sectors).ok_or(Error::Full)
    }

    /// Waits for an item and its turn, and begins to read the oldest item, which stays in the
    /// queue. It can then be [removed](Self::remove).
    pub async fn download(&self) -> Download<B> {
        let shared = &self.shared;
        loop {
            let has_items = || !shared.state.borrow().items.is_empty();
            shared.waiting.wait(has_items).await;
            let permit = shared.downloads.acquire().await;
            let state = &mut *shared.state.borrow_mut();
            if let Some(item) = state.items.front() {
                state.handed_out = Some(state.first);
                return Download::new(Rc::clone(shared), Rc::clone(item), permit);
            }
        }
    }

    /// Removes the oldest item if it was given to a [download](Self::download) since the queue
    /// was opened; otherwise does nothing. Returns whether it did something. Downloads of the
    /// item go on, and its room is free when they have ended.
    ///
    /// # Errors
    /// [`Error::Waiting`] while a download waits for an item; [`Error::Disk`]: then the item may
    /// be in the queue or not when it is opened again.
    pub async fn remove(&self) -> Result<bool, Error> {
        if self.shared.waiting.count() > 0 {
            return Err(Error::Waiting);
        }
        let Some(number) = self.shared.state.borrow().removable() else {
            return Ok(false);
        };
        self.shared.change(Change::Remove(number)).await?;
        Ok(true)
    }
}
