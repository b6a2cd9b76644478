//! A disk in a file, or a block device, of the process's host.

mod attachment;
mod open;
mod operation;
mod pool;
#[cfg(test)]
mod tests;

use crate::{Block, Error, Geometry};
use alloc::vec::Vec;
use core::fmt;
use operation::Operation;
use pool::Pool;
use std::io;

pub use attachment::{Attachment, NoFile};
pub use open::{Access, DiskFile, OpenError};

/// A read that is no longer than this may be done by the event loop itself. Copying more would
/// hold it up for longer than a thread takes to begin.
const SHORT: usize = 64 << 10;

/// A disk in a file or a block device of the host.
///
/// A few threads read and write it through the host's page cache, so no request holds the
/// program's tasks up. Short reads of what is in that cache need no thread. A flush is an
/// `fdatasync`: what it makes durable survives a power cut of the host too. Discarded sectors
/// give their room back to the host's file system, where that can take it.
///
/// A request that is dropped before a thread has begun with it does not happen.
pub struct FileDisk {
    geometry: Geometry,
    pool: Pool,
}

impl FileDisk {
    /// Starts the threads that work for the disk. They need nothing but the calls `pread64`,
    /// `preadv2`, `pwrite64`, `fdatasync`, `fallocate` and `futex` from then on.
    ///
    /// # Errors
    /// The host's, when it refuses threads.
    pub fn start(file: DiskFile) -> io::Result<Self> {
        Ok(Self {
            geometry: file.geometry(),
            pool: Pool::start(file.into_descriptor())?,
        })
    }

    /// Where a sector begins, in bytes. The sector was checked.
    fn offset(&self, sector: u64) -> u64 {
        sector * self.geometry.sector_size as u64
    }
}

impl Block for FileDisk {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    async fn read(&self, sector: u64, mut buffer: Vec<u8>) -> Result<Vec<u8>, Error> {
        self.geometry.check_read(sector, buffer.len())?;
        let offset = self.offset(sector);
        if buffer.len() <= SHORT && operation::read_cached(self.pool.file(), offset, &mut buffer) {
            // A task that reads only what is cached has to let others run, too.
            fata_task::yield_now().await;
            return Ok(buffer);
        }
        self.pool.run(Operation::Read { offset, buffer }).await
    }

    async fn write(&self, sector: u64, buffer: Vec<u8>) -> Result<Vec<u8>, Error> {
        self.geometry.check_write(sector, buffer.len())?;
        let offset = self.offset(sector);
        self.pool.run(Operation::Write { offset, buffer }).await
    }

    async fn flush(&self) -> Result<(), Error> {
        if self.geometry.read_only {
            return Ok(());
        }
        self.pool.run(Operation::Flush).await.map(drop)
    }

    async fn discard(&self, sector: u64, count: u64) -> Result<(), Error> {
        self.geometry.check_change(sector, count)?;
        let (offset, length) = (self.offset(sector), self.offset(count));
        let operation = Operation::Discard { offset, length };
        self.pool.run(operation).await.map(drop)
    }

    async fn write_zeroes(&self, sector: u64, count: u64) -> Result<(), Error> {
        self.geometry.check_change(sector, count)?;
        let (offset, length) = (self.offset(sector), self.offset(count));
        let operation = Operation::WriteZeroes { offset, length };
        self.pool.run(operation).await.map(drop)
    }
}

impl fmt::Debug for FileDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileDisk")
            .field("geometry", &self.geometry)
            .finish_non_exhaustive()
    }
}
