//! A disk of which what was read lately is kept in memory.

mod state;
#[cfg(test)]
mod tests;

use crate::{Block, Error, Geometry};
use alloc::vec::Vec;
use core::cell::RefCell;
use core::ops::Range;
use state::State;

pub use state::CacheCounts;

/// An adapter that keeps the sectors that were read last, and forgets those that are changed:
/// writes go to the disk at once and mean what they mean without it. All changes must come
/// through the cache.
///
/// A write that is dropped may happen later, so nothing between the first and the last sector
/// of such writes is kept from then on.
#[derive(Debug)]
pub struct Cache<B> {
    disk: B,
    state: RefCell<State>,
}

impl<B: Block> Cache<B> {
    /// A cache of at most so many bytes of sectors; what finds them again takes some 100 bytes
    /// a sector more. Reads of more bytes than that are not kept.
    pub fn new(disk: B, bytes: usize) -> Self {
        let state = State::new(bytes, disk.geometry().sector_size);
        Self {
            disk,
            state: RefCell::new(state),
        }
    }

    /// How often the cache had what was asked for.
    pub fn counts(&self) -> CacheCounts {
        self.state.borrow().counts
    }

    /// Does something that changes sectors, which are not in the cache meanwhile.
    async fn change<T>(
        &self,
        sectors: Range<u64>,
        change: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let id = self.state.borrow_mut().begin_change(sectors);
        let mut request = Request {
            state: &self.state,
            id,
            is_abandoned: true,
        };
        let outcome = change.await;
        request.is_abandoned = false;
        outcome
    }
}

/// A read or a change under way.
struct Request<'a> {
    state: &'a RefCell<State>,
    id: u64,
    is_abandoned: bool,
}

impl Drop for Request<'_> {
    fn drop(&mut self) {
        self.state.borrow_mut().end(self.id, self.is_abandoned);
    }
}

impl<B: Block> Block for Cache<B> {
    fn geometry(&self) -> Geometry {
        self.disk.geometry()
    }

    async fn read(&self, sector: u64, mut buffer: Vec<u8>) -> Result<Vec<u8>, Error> {
        let geometry = self.geometry();
        geometry.check_read(sector, buffer.len())?;
        if self.state.borrow_mut().read(sector, &mut buffer) {
            return Ok(buffer);
        }
        let end = sector + geometry.sectors_in(buffer.len())?;
        let id = self.state.borrow_mut().begin_read(sector..end);
        let _request = Request {
            state: &self.state,
            id,
            is_abandoned: false,
        };
        let buffer = self.disk.read(sector, buffer).await?;
        self.state.borrow_mut().keep(id, &buffer);
        Ok(buffer)
    }

    async fn write(&self, sector: u64, buffer: Vec<u8>) -> Result<Vec<u8>, Error> {
        self.geometry().check_write(sector, buffer.len())?;
        let end = sector + self.geometry().sectors_in(buffer.len())?;
        self.change(sector..end, self.disk.write(sector, buffer))
            .await
    }

    async fn flush(&self) -> Result<(), Error> {
        self.disk.flush().await
    }

    async fn discard(&self, sector: u64, count: u64) -> Result<(), Error> {
        self.geometry().check_change(sector, count)?;
        self.change(sector..sector + count, self.disk.discard(sector, count))
            .await
    }

    async fn write_zeroes(&self, sector: u64, count: u64) -> Result<(), Error> {
        self.geometry().check_change(sector, count)?;
        let change = self.disk.write_zeroes(sector, count);
        self.change(sector..sector + count, change).await
    }
}
