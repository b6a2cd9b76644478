//! The trait through which applications and file systems see a disk.
#![allow(
    async_fn_in_trait,
    reason = "one core, one executor: no future has to be Send"
)]

use crate::{Error, Geometry};
use alloc::rc::Rc;
use alloc::vec::Vec;

/// A disk.
///
/// Requests take `&self`: any number can be under way at once, and the disk chooses the order in
/// which it does them. A caller waits for one request before it makes another that depends on it.
/// Requests that begin before the program waits for the next thing go to the device as one batch,
/// so data that lies in several buffers is best written by several requests at once.
///
/// Buffers are handed over and come back, so that a request may be dropped at any time: it then
/// may or may not happen, and the buffer is freed when the device has let go of it. If a request
/// fails, its buffer is freed, and what a write was to change is unknown.
///
/// **Durability.** A write may be lost in a power cut until a [`flush`](Self::flush) that began
/// after the write's end returns. Until then any of its sectors may be on the
/// disk or not, whatever the order in which they were written; no sector is half old and half
/// new.
pub trait Block {
    /// The disk's geometry. It does not change.
    fn geometry(&self) -> Geometry;

    /// Fills `buffer`, a whole number of sectors, from `sector` on, and returns it.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] and [`Error::Misaligned`] for a request that cannot be met;
    /// [`Error::Corrupt`], [`Error::Io`] and [`Error::Gone`] when the device fails.
    async fn read(&self, sector: u64, buffer: Vec<u8>) -> Result<Vec<u8>, Error>;

    /// Writes `buffer`, a whole number of sectors, from `sector` on, and returns it.
    ///
    /// # Errors
    /// As for [`read`](Self::read), and [`Error::ReadOnly`] and [`Error::Full`].
    async fn write(&self, sector: u64, buffer: Vec<u8>) -> Result<Vec<u8>, Error>;

    /// Makes durable what was written by requests that have ended.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Full`] and [`Error::Gone`]: what was written since the last flush
    /// may be lost, even if a later flush succeeds.
    async fn flush(&self) -> Result<(), Error>;

    /// Tells the disk that the data of `count` sectors from `sector` on is not needed any more.
    /// Their content is unknown afterwards. A disk that has no use for that does nothing.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    async fn discard(&self, sector: u64, count: u64) -> Result<(), Error>;

    /// Makes `count` sectors from `sector` on read as zeroes.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    async fn write_zeroes(&self, sector: u64, count: u64) -> Result<(), Error>;
}

/// A handle to a disk is a disk.
macro_rules! forward {
    ($($handle:ty),*) => {$(
        impl<B: Block> Block for $handle {
            fn geometry(&self) -> Geometry {
                (**self).geometry()
            }

            async fn read(&self, sector: u64, buffer: Vec<u8>) -> Result<Vec<u8>, Error> {
                (**self).read(sector, buffer).await
            }

            async fn write(&self, sector: u64, buffer: Vec<u8>) -> Result<Vec<u8>, Error> {
                (**self).write(sector, buffer).await
            }

            async fn flush(&self) -> Result<(), Error> {
                (**self).flush().await
            }

            async fn discard(&self, sector: u64, count: u64) -> Result<(), Error> {
                (**self).discard(sector, count).await
            }

            async fn write_zeroes(&self, sector: u64, count: u64) -> Result<(), Error> {
                (**self).write_zeroes(sector, count).await
            }
        }
    )*};
}

forward!(&B, Rc<B>);
