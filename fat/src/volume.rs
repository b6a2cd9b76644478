use crate::changes::Changes;
use crate::pages::{PAGE, Pages};
use crate::places::Places;
use crate::stamp::Stamps;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use fata_block::Block;
use fata_kv::Error;
use fata_task::all;
use fata_task::{Permit, Semaphore};

/// Requests that read at once; more wait.
const READERS: usize = 16;

/// Requests to the disk with which a change is written, at once.
const WRITES: usize = 16;

/// Pages that are read at once, at most.
const MOST_PAGES: u64 = 8;

/// The largest sectors that the file system's driver takes.
pub(crate) const LARGEST_SECTOR: usize = 4096;

/// A disk with a FAT volume, and what its requests share.
pub(crate) struct Volume<B> {
    pub(crate) disk: B,
    pub(crate) stamps: Stamps,
    /// Bytes of changed sectors that a request may have.
    pub(crate) room: usize,
    pages: RefCell<Pages>,
    pub(crate) places: RefCell<Places>,
    readers: Semaphore,
    writer: Semaphore,
    /// It is not known what the last change has left on the disk.
    is_closed: Cell<bool>,
}

impl<B: Block> Volume<B> {
    pub(crate) fn new(disk: B, room: usize) -> Self {
        Self {
            disk,
            stamps: Stamps::default(),
            room,
            pages: RefCell::default(),
            places: RefCell::default(),
            readers: Semaphore::new(READERS),
            writer: Semaphore::new(1),
            is_closed: Cell::new(false),
        }
    }

    /// Checks that the disk is one that a volume can lie on.
    pub(crate) fn check_disk(&self) -> Result<(), Error> {
        let geometry = self.disk.geometry();
        if geometry.sectors == 0 {
            return Err(Error::NoSectors);
        }
        if geometry.sector_size > LARGEST_SECTOR {
            return Err(Error::Unsupported);
        }
        Ok(())
    }

    /// Keeps the disk as it is until what is returned is dropped.
    pub(crate) async fn read(&self) -> Result<Permit, Error> {
        let permit = self.readers.acquire().await;
        self.check_open()?;
        Ok(permit)
    }

    /// Keeps other changes off until what is returned is dropped.
    pub(crate) async fn change(&self) -> Result<Permit, Error> {
        if self.disk.geometry().read_only {
            return Err(Error::ReadOnly);
        }
        let permit = self.writer.acquire().await;
        self.check_open()?;
        Ok(permit)
    }

    fn check_open(&self) -> Result<(), Error> {
        if self.is_closed.get() {
            return Err(Error::Closed);
        }
        Ok(())
    }

    fn sectors_per_page(&self) -> u64 {
        (PAGE / self.disk.geometry().sector_size) as u64
    }

    /// Copies a sector, if what it is in is kept.
    pub(crate) fn copy(&self, sector: u64, buffer: &mut [u8]) -> bool {
        let mut pages = self.pages.borrow_mut();
        let Some(page) = pages.get(sector / self.sectors_per_page()) else {
            return false;
        };
        let start = (sector % self.sectors_per_page()) as usize * buffer.len();
        buffer.copy_from_slice(&page[start..start + buffer.len()]);
        true
    }

    /// Reads the page that a sector is in, which is on the disk, and more for what follows it
    /// up to `end`.
    pub(crate) async fn fetch(&self, sector: u64, end: u64) -> Result<(), fata_block::Error> {
        let geometry = self.disk.geometry();
        let page = sector / self.sectors_per_page();
        let count = end.div_ceil(self.sectors_per_page()) - page;
        let first = page * self.sectors_per_page();
        let sectors = count.min(MOST_PAGES) * self.sectors_per_page();
        let sectors = sectors.min(geometry.sectors - first) as usize;
        let buffer = vec![0; sectors * geometry.sector_size];
        let bytes = self.disk.read(first, buffer).await?;
        let mut pages = self.pages.borrow_mut();
        // The one that is waited for comes last, so that no other takes its place.
        for (index, bytes) in bytes.chunks(PAGE).enumerate().rev() {
            pages.keep(page + index as u64, bytes);
        }
        Ok(())
    }

    /// Makes changes durable. Nothing is read meanwhile.
    ///
    /// # Errors
    /// Those of the disk, after which the volume is closed.
    pub(crate) async fn commit(&self, changes: Changes) -> Result<(), Error> {
        // One by one: async-unsync 0.3 miscounts for a waiter that wants several and gets some.
        let mut everybody = Vec::with_capacity(READERS);
        while everybody.len() < READERS {
            everybody.push(self.readers.acquire().await);
        }
        self.places.borrow_mut().clear();
        let written = self.write(changes).await;
        if let Err(error) = written {
            log::error!("the FAT volume is closed, as it is not known what is on it: {error}");
            self.is_closed.set(true);
        }
        Ok(written?)
    }

    async fn write(&self, changes: Changes) -> Result<(), fata_block::Error> {
        for phase in changes.into_phases() {
            let mut runs = phase.into_iter().peekable();
            while runs.peek().is_some() {
                let some = runs.by_ref().take(WRITES);
                all(some.map(|(first, bytes)| self.write_run(first, bytes))).await?;
            }
            self.disk.flush().await?;
        }
        Ok(())
    }

    async fn write_run(&self, first: u64, bytes: Vec<u8>) -> Result<(), fata_block::Error> {
        let count = self.disk.geometry().sectors_in(bytes.len())?;
        let end = (first + count).div_ceil(self.sectors_per_page());
        let pages = first / self.sectors_per_page()..end;
        self.pages.borrow_mut().forget(pages);
        self.disk.write(first, bytes).await?;
        Ok(())
    }
}
