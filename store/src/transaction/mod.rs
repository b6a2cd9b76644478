//! Transactions: changes that become durable together.

mod change;
mod value;

use crate::page::PAGE;
use crate::tree::{Editor, get, seek};
use crate::volume::Volume;
use alloc::vec::Vec;
use core::time::Duration;
use fata_block::Block;
use fata_kv::Error;
use fata_task::all;

/// Pages that only removing may use, so that a full store can be emptied.
pub(crate) const RESERVE: u64 = 32;

/// Bytes of values that wait in memory to be written.
const MAX_WAITING: usize = 256 << 10;

/// The one transaction that is under way on a volume.
pub(crate) struct Transaction<'a, B> {
    editor: Editor<'a, B>,
    /// The time at which what it sets was modified, in nanoseconds; zero if not known.
    now: u64,
    /// Pages of values that are not written: the first page of a run, and the bytes.
    waiting: Vec<(u64, Vec<u8>)>,
    /// How often it changed something.
    pub(crate) changes: u64,
}

impl<'a, B: Block> Transaction<'a, B> {
    /// Begins a transaction, of which a volume can have one.
    pub(crate) fn new(volume: &'a Volume<B>, now: Option<Duration>) -> Self {
        let now = now.map(|now| u64::try_from(now.as_nanos()).unwrap_or(0));
        Self {
            editor: Editor {
                volume,
                tree: volume.committed.get().tree,
                reserve: RESERVE,
            },
            now: now.unwrap_or(0),
            waiting: Vec::new(),
            changes: 0,
        }
    }

    pub(crate) fn volume(&self) -> &'a Volume<B> {
        self.editor.volume
    }

    async fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        get(self.volume(), self.editor.tree, key).await
    }

    async fn seek(&self, key: &[u8]) -> Result<Option<(Vec<u8>, Vec<u8>)>, Error> {
        seek(self.volume(), self.editor.tree, key).await
    }

    async fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.changes += 1;
        self.editor.insert(key, value).await
    }

    async fn remove_key(&mut self, key: &[u8]) -> Result<(), Error> {
        self.changes += 1;
        if self.editor.remove(key).await? {
            Ok(())
        } else {
            Err(Error::Damaged)
        }
    }

    /// A number that no value has had.
    fn next_id(&self) -> u64 {
        let id = self.volume().next_id.get();
        self.volume().next_id.set(id + 1);
        id
    }

    /// Writes the pages of values that wait.
    async fn write_waiting(&mut self) -> Result<(), Error> {
        let waiting = core::mem::take(&mut self.waiting);
        let volume = self.volume();
        let writes = waiting
            .into_iter()
            .map(|(page, bytes)| volume.write(page, bytes));
        let written = all(writes).await;
        // The lost pages may be of earlier batches, so that this one cannot just be refused.
        self.changes += u64::from(written.is_err());
        written
    }

    async fn wait_to_write(&mut self, page: u64, bytes: Vec<u8>) -> Result<(), Error> {
        self.waiting.push((page, bytes));
        let waiting: usize = self.waiting.iter().map(|(_, bytes)| bytes.len()).sum();
        if waiting > MAX_WAITING {
            self.write_waiting().await?;
        }
        Ok(())
    }

    /// Gives a value's page back. One of this transaction may be given out at once, so it must
    /// not be written any more after that.
    async fn release_page(&mut self, page: u64) -> Result<(), Error> {
        let volume = self.volume();
        let is_ours = volume.layout.holds(page) && !volume.bitmap.borrow().is_committed(page);
        if is_ours && !self.waiting.is_empty() {
            self.write_waiting().await?;
        }
        self.changes += 1;
        self.editor.release_page(page)
    }

    /// Fails if there is no room for so many pages of a value and what leads to them.
    fn check_room(&self, bytes: usize) -> Result<(), Error> {
        let pages = (bytes.div_ceil(PAGE) + 1) as u64;
        // Groups of pages lie in leaves by the dozen; and each change copies the way to a leaf.
        let nodes = pages / 128 + 3 * u64::from(self.editor.tree.height + 1);
        let free = self.volume().bitmap.borrow().free();
        if pages + nodes + self.editor.reserve > free {
            return Err(Error::NoSpace);
        }
        Ok(())
    }

    /// Makes all of it durable. On an error nothing of it is under way any more, and it has to
    /// be rolled back; true if it may be on the disk all the same.
    pub(crate) async fn commit(mut self) -> Result<(), (Error, bool)> {
        self.write_all().await.map_err(|error| (error, false))?;
        let volume = self.volume();
        let written = volume.write_superblock(self.editor.tree).await;
        written.map_err(|error| (error, true))
    }

    async fn write_all(&mut self) -> Result<(), Error> {
        self.write_waiting().await?;
        self.volume().write_dirty().await?;
        self.volume().write_bitmap().await?;
        self.volume().flush_many().await
    }
}
