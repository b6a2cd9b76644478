use crate::read::Reader;
use crate::session::Session;
use crate::stamp::describe;
use crate::volume::Volume;
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::fmt;
use fata_block::Block;
use fata_kv::{Change, Entry, Error, Key, KvRo, KvRw, Metadata};
use fata_task::Handle;
use hadris_fat_raw::io::Fat;

/// The files of a FAT volume (FAT12, FAT16 or FAT32), which begins at a disk's first sector:
/// of one that mkfs.fat has made on a whole disk, or on a [`Partition`](fata_block::Partition).
///
/// A key is the path of a file. Names are long names, where a file has one, and written as they
/// were given, but found whether in capitals or not, also by their short form (`LONGNA~1.TXT`),
/// as everywhere with FAT. [`Error::BadName`] refuses those that FAT cannot have: with control
/// characters or one of `"*:<>?\|`, with a dot or blank at the end, or of more than 255 UTF-16
/// units. Files marked read-only are changed all the same.
///
/// Directories are made as keys need them, and removed with the last thing that lay in them; an
/// empty one that somebody else has made is an empty dictionary. Values have less than 4 GiB.
/// Times of change are in UTC, and good to two seconds; the beginning of 1980 stands for an
/// unknown one. The digest is that of size and times, not of the bytes; without a clock a value
/// that was removed, and set again after a restart, may get its old one.
///
/// **Power cuts.** A change that has returned is on the disk, and one that failed has left no
/// trace, unless the disk failed while it was being written: then any part of it may be there, and
/// the volume is closed. FAT has no journal, so of a change that a power cut interrupts any part
/// may be on the disk, too, also of a batch. The volume is marked as unclean meanwhile, which the next
/// [`open`](Self::open) logs as a warning and `fsck.fat` repairs. Data that has to survive that
/// belongs into a `fata_store::Store`.
///
/// Cloning gives another handle to the same volume. A disk must not have two of them open.
pub struct FatKv<B> {
    tasks: Handle,
    volume: Rc<Volume<B>>,
    fat: Rc<Fat>,
}

impl<B> fmt::Debug for FatKv<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FatKv").finish_non_exhaustive()
    }
}

impl<B> Clone for FatKv<B> {
    fn clone(&self) -> Self {
        Self {
            tasks: self.tasks.clone(),
            volume: Rc::clone(&self.volume),
            fat: Rc::clone(&self.fat),
        }
    }
}

impl<B: Block + 'static> FatKv<B> {
    /// Opens the volume on a disk. Besides some 700 KiB for what was read lately, it takes up to
    /// `most` bytes of memory for what a change, or a batch, writes: the bytes of its values and
    /// an eighth more, at least 64 KiB for the rest. A change that needs more is refused with
    /// [`Error::TooLarge`].
    ///
    /// # Errors
    /// [`Error::NotAStore`] if there is no FAT volume, [`Error::NoSectors`], [`Error::Damaged`] if it contradicts
    /// itself or is larger than the disk, [`Error::Unsupported`] for sectors of more than
    /// 4,096 bytes, [`Error::Disk`].
    pub async fn open(tasks: &Handle, disk: B, most: usize) -> Result<Self, Error> {
        let volume = Volume::new(disk, most);
        let session = Session::open(&volume).await?;
        if session.is_unclean() {
            log::warn!("the FAT volume was not left in order; check it with fsck.fat");
        }
        let fat = Rc::new(session.fat());
        drop(session);
        Ok(Self {
            tasks: tasks.clone(),
            volume: Rc::new(volume),
            fat,
        })
    }

    fn reader(&self) -> Reader<'_, B> {
        Reader::new(&self.volume, &self.fat)
    }
}

impl<B: Block + 'static> KvRo for FatKv<B> {
    async fn metadata(&self, key: &Key) -> Result<Metadata, Error> {
        let _turn = self.volume.read().await?;
        let found = self.reader().find(key).await?;
        Ok(found.map_or(Metadata::Dictionary, |found| {
            Metadata::Value(describe(&found.metadata))
        }))
    }

    async fn get_range(&self, key: &Key, offset: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        let _turn = self.volume.read().await?;
        self.reader().read(key, offset, buffer).await
    }

    async fn list(&self, key: &Key, after: &str, limit: usize) -> Result<Vec<Entry>, Error> {
        let _turn = self.volume.read().await?;
        let list = async {
            let mut session = Session::open(&self.volume).await?;
            session.list(key, after, limit).await
        };
        Box::pin(list).await
    }
}

impl<B: Block + 'static> KvRw for FatKv<B> {
    async fn batch(&self, changes: &[Change<'_>]) -> Result<(), Error> {
        let turn = self.volume.change().await?;
        let now = self.tasks.wall();
        let work = async {
            let mut session = Session::open(&self.volume).await?;
            for change in changes {
                session.apply(change, now).await?;
            }
            Ok::<_, Error>(session.finish().await?.changes)
        };
        let changes = Box::pin(work).await?;
        if changes.is_empty() {
            return Ok(());
        }
        // A task of its own goes on even if this request is dropped.
        let volume = Rc::clone(&self.volume);
        let commit = self.tasks.spawn(async move {
            let _turn = turn;
            volume.commit(changes).await
        });
        commit.await.unwrap_or(Err(Error::Closed))
    }
}
