use crate::shared::{Item, Shared};
use crate::{CHUNK, DEPTH, Error, sectors_in};
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::fmt;
use core::hash::Hasher;
use fata_block::Block;
use fata_task::JoinHandle;
use fata_task::Permit;
use twox_hash::XxHash64;

/// An item that is being downloaded, in constant memory.
pub struct Download<B> {
    shared: Rc<Shared<B>>,
    item: Rc<Item>,
    permit: Rc<Permit>,
    checksum: XxHash64,
    /// Bytes that were asked of the disk, and their sectors.
    asked: u64,
    sectors: u64,
    /// Bytes that were given out.
    given: u64,
    /// Reads under way, the oldest first.
    reads: VecDeque<JoinHandle<Result<Vec<u8>, fata_block::Error>>>,
    /// The bytes given out last.
    chunk: Vec<u8>,
}

impl<B> fmt::Debug for Download<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download").finish_non_exhaustive()
    }
}

impl<B: Block + 'static> Download<B> {
    pub(crate) fn new(shared: Rc<Shared<B>>, item: Rc<Item>, permit: Permit) -> Self {
        Self {
            shared,
            item,
            permit: Rc::new(permit),
            checksum: XxHash64::with_seed(0),
            asked: 0,
            sectors: 0,
            given: 0,
            reads: VecDeque::with_capacity(DEPTH),
            chunk: Vec::new(),
        }
    }

    /// The item's length in bytes.
    pub fn length(&self) -> u64 {
        self.item.length
    }

    /// The next bytes of the item; none when all were given. The last ones are given only if the
    /// whole item is what was uploaded.
    ///
    /// # Errors
    /// [`Error::Disk`], [`Error::Corrupt`].
    pub async fn next(&mut self) -> Result<&[u8], Error> {
        let spare = core::mem::take(&mut self.chunk);
        self.read_ahead(spare);
        let mut bytes: &[u8] = &[];
        if let Some(oldest) = self.reads.pop_front() {
            self.chunk = oldest.await.map_err(|_| Error::Lost)??;
            let left = self.item.length - self.given;
            bytes = &self.chunk[..left.min(self.chunk.len() as u64) as usize];
            self.checksum.write(bytes);
            self.given += bytes.len() as u64;
        }
        // Also if there is nothing to give.
        if self.given == self.item.length && self.checksum.finish() != self.item.checksum {
            return Err(Error::Corrupt);
        }
        Ok(bytes)
    }

    /// Has as much read as may be in memory.
    fn read_ahead(&mut self, mut spare: Vec<u8>) {
        let size = self.shared.geometry.sector_size;
        while self.reads.len() < DEPTH && self.asked < self.item.length {
            let (sector, run) = self.item.extent.run(self.sectors);
            let count = run.min(sectors_in(CHUNK, size));
            let mut buffer = core::mem::take(&mut spare);
            buffer.resize(count as usize * size, 0);
            self.asked += buffer.len() as u64;
            self.sectors += count;
            // A task of its own, so that several reads are under way at once.
            let held = (Rc::clone(&self.item), Rc::clone(&self.permit));
            let shared = Rc::clone(&self.shared);
            self.reads.push_back(self.shared.tasks.spawn(async move {
                let read = shared.disk.read(sector, buffer).await;
                drop(held);
                read
            }));
        }
    }
}
