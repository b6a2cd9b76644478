use crate::room::Extent;
use crate::shared::{Change, Item, Shared};
use crate::{CHUNK, DEPTH, Error, sectors_in};
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::hash::Hasher;
use core::time::Duration;
use fata_block::Block;
use fata_task::JoinHandle;
use fata_task::Permit;
use fata_time::Instant;
use twox_hash::XxHash64;

/// How long an upload that hardly advances may keep others waiting.
const PATIENCE: Duration = Duration::from_secs(2);
/// It advances if it gets so many bytes in that time.
const STEP: u64 = 4096;

/// An item that is being uploaded, in constant memory: fill [`space`](Self::space),
/// [`advance`](Self::advance), and in the end [`finish`](Self::finish).
///
/// An upload that is dropped gives its room back, as soon as the disk has let go of it.
pub struct Upload<B> {
    shared: Rc<Shared<B>>,
    extent: Rc<Extent>,
    permit: Rc<Permit>,
    length: u64,
    received: u64,
    checksum: XxHash64,
    /// The chunk that is being filled, padded with zeroes to whole sectors.
    chunk: Vec<u8>,
    /// Bytes of the item that belong into the chunk, and how many are in it.
    wanted: usize,
    filled: usize,
    /// Sectors before the chunk.
    sectors: u64,
    /// Writes under way, the oldest first.
    writes: VecDeque<JoinHandle<Result<Vec<u8>, fata_block::Error>>>,
    /// How many flushes had failed when the upload began.
    failed: u64,
    /// Until when it may hardly advance, and bytes from which on it has.
    overdue_at: Instant,
    step: u64,
}

impl<B> fmt::Debug for Upload<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").finish_non_exhaustive()
    }
}

impl<B: Block + 'static> Upload<B> {
    pub(crate) fn new(shared: Rc<Shared<B>>, extent: Extent, permit: Permit, length: u64) -> Self {
        let failed = shared.state.borrow().flushes.failed;
        let mut upload = Self {
            shared,
            extent: Rc::new(extent),
            permit: Rc::new(permit),
            length,
            received: 0,
            checksum: XxHash64::with_seed(0),
            chunk: Vec::new(),
            wanted: 0,
            filled: 0,
            sectors: 0,
            writes: VecDeque::with_capacity(DEPTH),
            failed,
            overdue_at: Instant::default(),
            step: 0,
        };
        upload.begin_step();
        upload.begin_chunk(Vec::new());
        upload
    }

    /// Where to put the next bytes of the item. Empty if all have come.
    pub fn space(&mut self) -> &mut [u8] {
        &mut self.chunk[self.filled..self.wanted]
    }

    /// So many bytes were put into [`space`](Self::space).
    ///
    /// # Errors
    /// [`Error::Disk`].
    ///
    /// # Panics
    /// If there was less space.
    pub async fn advance(&mut self, count: usize) -> Result<(), Error> {
        let end = self.filled + count;
        self.checksum.write(&self.chunk[self.filled..end]);
        self.filled = end;
        self.received += count as u64;
        if count > 0 && end == self.wanted {
            self.send_chunk().await?;
        }
        if self.received >= self.step {
            self.begin_step();
        }
        Ok(())
    }

    /// Ready when the upload has hardly advanced for two seconds while others wait for their turn:
    /// it should be dropped then, so that it is theirs.
    pub fn overdue(&self) -> impl Future<Output = ()> + use<B> {
        let (shared, permit) = (Rc::clone(&self.shared), Rc::clone(&self.permit));
        let overdue_at = self.overdue_at;
        async move {
            shared.tasks.sleep_until(overdue_at).await;
            while !permit.is_awaited() {
                shared.tasks.sleep(PATIENCE).await;
            }
        }
    }

    fn begin_step(&mut self) {
        self.overdue_at = self.shared.tasks.coarse_now() + PATIENCE;
        self.step = self.received + STEP;
    }

    /// Copies bytes into the upload.
    ///
    /// # Errors
    /// [`Error::WrongSize`] if they are more than announced; [`Error::Disk`].
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let space = self.space();
            let count = space.len().min(bytes.len());
            if count == 0 {
                return Err(self.wrong_size(self.received + bytes.len() as u64));
            }
            let (now, later) = bytes.split_at(count);
            space[..count].copy_from_slice(now);
            self.advance(count).await?;
            bytes = later;
        }
        Ok(())
    }

    /// Puts the item into the queue. When this returns, no power cut can take it out again.
    ///
    /// If the future is dropped, the item may be in the queue or not.
    ///
    /// # Errors
    /// [`Error::WrongSize`] if less came than announced. [`Error::Lost`] and [`Error::Disk`]: the
    /// item is not in the queue; after the latter it may be there when the queue is opened again.
    pub async fn finish(mut self) -> Result<(), Error> {
        if self.received != self.length {
            return Err(self.wrong_size(self.received));
        }
        while let Some(write) = self.writes.pop_front() {
            write.await.map_err(|_| Error::Lost)??;
        }
        let change = Change::Add {
            item: Rc::new(Item {
                extent: Rc::clone(&self.extent),
                length: self.length,
                checksum: self.checksum.finish(),
            }),
            written: self.shared.state.borrow().flushes.begun,
            failed: self.failed,
        };
        self.shared.change(change).await
    }

    fn wrong_size(&self, received: u64) -> Error {
        Error::WrongSize {
            announced: self.length,
            received,
        }
    }

    /// Makes `buffer` the next chunk.
    fn begin_chunk(&mut self, buffer: Vec<u8>) {
        let size = self.shared.geometry.sector_size;
        let (_, run) = self.extent.run(self.sectors);
        let sectors = run.min(sectors_in(CHUNK, size)) as usize;
        let left = self.length - self.received;
        self.filled = 0;
        self.wanted = left.min((sectors * size) as u64) as usize;
        self.chunk = buffer;
        self.chunk.resize(sectors * size, 0);
        self.chunk[self.wanted..].fill(0);
    }

    /// Has the chunk written, and begins the next one.
    async fn send_chunk(&mut self) -> Result<(), Error> {
        let chunk = core::mem::take(&mut self.chunk);
        let (sector, _) = self.extent.run(self.sectors);
        self.sectors += (chunk.len() / self.shared.geometry.sector_size) as u64;
        // A task of its own, as a write that is dropped could still happen when the room already
        // belongs to another item.
        let held = (Rc::clone(&self.extent), Rc::clone(&self.permit));
        let shared = Rc::clone(&self.shared);
        self.writes.push_back(self.shared.tasks.spawn(async move {
            let written = shared.disk.write(sector, chunk).await;
            drop(held);
            written
        }));
        let spare = if self.writes.len() < DEPTH {
            Vec::new()
        } else {
            let oldest = self.writes.pop_front();
            let oldest = oldest.expect("there are several writes");
            oldest.await.map_err(|_| Error::Lost)??
        };
        self.begin_chunk(spare);
        Ok(())
    }
}
