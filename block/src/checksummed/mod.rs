//! A disk that notices what comes back other than it was written.
#![forbid(unsafe_code)]

mod disk;
mod layout;
mod queue;
mod sums;
#[cfg(test)]
mod tests;
mod worker;

use crate::{Block, Error, Geometry};
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::ops::Range;
use disk::Disk;
use fata_task::Handle;
use fata_task::channel::oneshot;
use layout::{BadHeader, Layout};
use queue::{Action, Queue, Request};
use sums::{Group, Sums};
use worker::Worker;

/// Bytes of sums that one request to discard or to write zeroes changes at most.
const PIECE: usize = 128 * 1024;

/// An adapter that keeps a checksum of every sector, for disks that have none, and refuses with
/// [`Error::Corrupt`] what does not fit: sectors that have changed by themselves, that were written
/// to another place, or that were not written although the disk has said so. Checksums are CRC-32:
/// made for accidents, not against those who can change the disk.
///
/// [`format`](Self::format) prepares a disk. Of it, a 64th goes to checksums, or a 512th with
/// sectors of 4,096 bytes, and two sectors. Sectors that were never written, and discarded ones,
/// read as whatever is there.
///
/// # A power cut
/// The power may be cut at any moment: no sector becomes unreadable by that, and each is old or new,
/// as for any [`Block`]. For that, there are two checksums for each sector: of what was written
/// last, and of what was there before. Let what a sector may have in it after a cut now be
/// *possible*. At all times, every version of its checksums that may be on the disk accepts all
/// that is possible:
/// 1. At rest, one content is possible, and all versions of the checksums accept it.
/// 2. To write a sector that is at rest, the checksum of the new content takes the place of the
///    older one, and the disk is flushed. That version and those before accept what is there. Then
///    only that version may be on the disk; it accepts the old content and the new one. Now the
///    sector is written.
/// 3. When a flush that began after that write has succeeded, only the new content is possible, and
///    the sector is at rest. From then on, both checksums may become its own.
/// 4. Where a write or a flush has failed, or after a cut, it is not known which of the two contents
///    is possible. Before such a sector is written, what is in it is written once more, and
///    the disk is flushed: then that alone is possible, and the sector is at rest.
///
/// All changes are made by a task of its own, a batch at a time. So a request that is dropped leaves
/// no change half done, and no two of them change the same checksums side by side. A read that
/// does not fit, as it may not while something is being written, is done once more between two
/// batches.
///
/// If a flush of step 2 fails, the next [`flush`](Block::flush) that is asked for fails too.
///
/// # Cost
/// A write waits for the flush of step 2, which it shares with all that is asked for at the same
/// time. So who writes one sector after the other pays for a flush each time. Besides, a batch writes
/// one sector of checksums for up to 63 of data (511 with sectors of 4,096 bytes), and so does a
/// flush, for what was written last. Reads find the checksums of 16 MiB (128 MiB) in memory; those
/// of the last batch are there, too.
///
/// # Undetected faults
/// A sector that has its old content still, or any at all if it was never written before: until a
/// flush has returned after the write, beside which no other write was under way; or, if the power
/// was cut before that, until it is written once more. And a write that was lost together with
/// that of its checksums.
pub struct Checksummed<B> {
    tasks: Handle,
    inner: Rc<Inner<B>>,
}

struct Inner<B> {
    disk: Disk<B>,
    geometry: Geometry,
    queue: RefCell<Queue>,
    worker: RefCell<Worker>,
    /// A task works on the queue.
    is_working: Cell<bool>,
}

/// Why there is no disk with checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChecksumError {
    /// The disk has no checksums, or what tells of them is damaged.
    NoChecksums,
    /// The disk was formatted by another version, for other sectors, or larger than it is.
    Unsupported,
    /// The disk has too few sectors.
    TooSmall,
    /// The disk failed.
    Disk(Error),
}

impl fmt::Display for ChecksumError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoChecksums => "the disk has no checksums; format it for them",
            Self::Unsupported => "the disk's checksums are of another version or another disk",
            Self::TooSmall => "the disk is too small for checksums; use one of 4 sectors or more",
            Self::Disk(error) => return error.fmt(f),
        })
    }
}

impl core::error::Error for ChecksumError {}

impl From<Error> for ChecksumError {
    fn from(error: Error) -> Self {
        Self::Disk(error)
    }
}

impl<B: Block> Checksummed<B> {
    /// Prepares a disk; what is on it may be lost. It writes all checksums, and no data.
    ///
    /// # Errors
    /// [`ChecksumError::TooSmall`], and errors of the disk: then there are no checksums.
    pub async fn format(disk: &B) -> Result<(), ChecksumError> {
        let geometry = disk.geometry();
        let size = geometry.sector_size;
        let layout = Layout::new(size, geometry.sectors).ok_or(ChecksumError::TooSmall)?;
        for place in layout.header_places() {
            disk.write(place, vec![0; size]).await?;
        }
        disk.flush().await?;
        let group = Group::new(layout.per_group(), Sums::ANY);
        let at_once = (PIECE / size).max(1) as u64;
        for first in (0..layout.groups()).step_by(at_once as usize) {
            let mut bytes = Vec::new();
            for number in first..layout.groups().min(first + at_once) {
                group.encode(layout.sums_place(number), &mut bytes);
            }
            disk.write(layout.sums_place(first), bytes).await?;
        }
        disk.flush().await?;
        for place in layout.header_places() {
            disk.write(place, layout.header(place)).await?;
        }
        Ok(disk.flush().await?)
    }

    /// Opens a disk that was formatted. Nothing else may use it.
    ///
    /// # Errors
    /// [`ChecksumError`].
    pub async fn open(tasks: &Handle, disk: B) -> Result<Self, ChecksumError> {
        let geometry = disk.geometry();
        if !geometry.read_only {
            // Data of an earlier program in the host's memory counts only if it stays.
            disk.flush().await?;
        }
        let layout = find_layout(&disk).await?;
        Ok(Self {
            tasks: tasks.clone(),
            inner: Rc::new(Inner {
                geometry: Geometry {
                    sectors: layout.data(),
                    ..geometry
                },
                disk: Disk::new(disk, layout),
                queue: RefCell::default(),
                worker: RefCell::default(),
                is_working: Cell::new(false),
            }),
        })
    }
}

/// The layout that one of the headers tells of.
async fn find_layout(disk: &impl Block) -> Result<Layout, ChecksumError> {
    let geometry = disk.geometry();
    let last = geometry.sectors.checked_sub(1);
    let mut failure = ChecksumError::NoChecksums;
    for place in [0, last.ok_or(failure)?] {
        let bytes = match disk.read(place, vec![0; geometry.sector_size]).await {
            Ok(bytes) => bytes,
            Err(error) => {
                failure = ChecksumError::Disk(error);
                continue;
            }
        };
        match Layout::of_header(&bytes, place, &geometry) {
            Ok(layout) => return Ok(layout),
            Err(BadHeader::Unsupported) => failure = ChecksumError::Unsupported,
            Err(BadHeader::Nothing) => {}
        }
    }
    Err(failure)
}

impl<B: Block + 'static> Checksummed<B> {
    /// Has something done by the task that makes changes.
    async fn ask(&self, sectors: Range<u64>, action: Action) -> Result<Vec<u8>, Error> {
        let (reply, outcome) = oneshot::channel().into_split();
        self.inner.queue.borrow_mut().push(Request {
            sectors,
            action,
            reply,
        });
        if !self.inner.is_working.replace(true) {
            let inner = Rc::clone(&self.inner);
            self.tasks.spawn_detached(async move {
                inner.work().await;
                inner.is_working.set(false);
            });
        }
        outcome.await.unwrap_or(Err(Error::Gone))
    }

    /// Has something done with sectors, of so many groups at a time that their sums are bounded.
    async fn ask_in_pieces(
        &self,
        sector: u64,
        count: u64,
        action: impl Fn() -> Action,
    ) -> Result<(), Error> {
        self.inner.geometry.check_change(sector, count)?;
        let layout = &self.inner.disk.layout;
        let piece = (PIECE / layout.sector_size()).max(1) * layout.per_group();
        let end = sector + count;
        for start in (sector..end).step_by(piece) {
            let piece = start..end.min(start.saturating_add(piece as u64));
            self.ask(piece, action()).await?;
        }
        Ok(())
    }
}

impl<B: Block> Inner<B> {
    async fn work(&self) {
        let mut worker = self.worker.take();
        while !self.queue.borrow().is_empty() {
            let batch = self.queue.borrow_mut().take_batch(&self.disk.layout);
            if let Err(error) = worker.run(&self.disk, batch).await {
                // Who waits for a flush already may wait for the data that this one has lost.
                self.queue.borrow_mut().fail_flushes(error);
            }
        }
        self.worker.replace(worker);
    }
}

impl<B> fmt::Debug for Checksummed<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Checksummed");
        debug.field("geometry", &self.inner.geometry);
        debug.finish_non_exhaustive()
    }
}

impl<B: Block + 'static> Block for Checksummed<B> {
    fn geometry(&self) -> Geometry {
        self.inner.geometry
    }

    async fn read(&self, sector: u64, buffer: Vec<u8>) -> Result<Vec<u8>, Error> {
        self.inner.geometry.check_read(sector, buffer.len())?;
        if buffer.is_empty() {
            return Ok(buffer);
        }
        match self.inner.disk.read(sector, buffer).await? {
            (bytes, true) => Ok(bytes),
            (bytes, false) => {
                let end = sector + self.inner.geometry.sectors_in(bytes.len())?;
                self.ask(sector..end, Action::Read(bytes)).await
            }
        }
    }

    async fn write(&self, sector: u64, buffer: Vec<u8>) -> Result<Vec<u8>, Error> {
        self.inner.geometry.check_write(sector, buffer.len())?;
        if buffer.is_empty() {
            return Ok(buffer);
        }
        let end = sector + self.inner.geometry.sectors_in(buffer.len())?;
        self.ask(sector..end, Action::Write(buffer)).await
    }

    async fn flush(&self) -> Result<(), Error> {
        self.ask(0..0, Action::Flush).await.map(drop)
    }

    async fn discard(&self, sector: u64, count: u64) -> Result<(), Error> {
        self.ask_in_pieces(sector, count, || Action::Discard).await
    }

    async fn write_zeroes(&self, sector: u64, count: u64) -> Result<(), Error> {
        self.ask_in_pieces(sector, count, || Action::WriteZeroes)
            .await
    }
}
