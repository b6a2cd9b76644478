//! A disk in memory that does to data whatever real disks may do.

mod faults;
mod image;
mod state;
#[cfg(test)]
mod tests;

pub use faults::{DiskCounts, Faults};

use crate::{Block, Error, Geometry, RamDisk};
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::future::poll_fn;
use core::task::Poll;
use image::WriteId;
use state::State;

/// A disk in memory that injects faults, to test what lies on it.
///
/// It does no more than the contract of [`Block`] promises. It keeps every version that a sector
/// had since it was last durable, and [`cut`](Self::cut) the power leaves any one of them, for
/// each sector by itself. [`Faults`] say what else goes wrong; at first, nothing does.
///
/// The same seed and the same requests, polled in the same order, give the same faults.
///
/// ```
/// use fata_block::{Block, Error, FaultyDisk};
///
/// fata_task::simulate(|_| async {
///     let disk = FaultyDisk::new(512, 100, 1);
///     disk.write(3, vec![1; 512]).await?;
///     disk.flush().await?;
///     disk.write(3, vec![2; 512]).await?;
///     let bytes = disk.cut();
///     assert!([1, 2].contains(&bytes[3 * 512]));
///     assert_eq!(disk.flush().await, Err(Error::Gone));
///     let disk = FaultyDisk::from_bytes(512, bytes, 2);
///     disk.read(3, vec![0; 512]).await?;
///     Ok::<(), Error>(())
/// })
/// .unwrap();
/// ```
#[derive(Debug)]
pub struct FaultyDisk {
    geometry: Geometry,
    state: RefCell<State>,
}

impl FaultyDisk {
    /// A disk of zeroes.
    ///
    /// # Panics
    /// If the size of a sector is no power of two from 512 on, or memory cannot hold the disk.
    pub fn new(sector_size: usize, sectors: u64, seed: u64) -> Self {
        let bytes = RamDisk::new(sector_size, sectors).into_bytes();
        Self::from_bytes(sector_size, bytes, seed)
    }

    /// A disk on which these bytes are durable, such as those that [`cut`](Self::cut) left.
    ///
    /// # Panics
    /// If the size of a sector is no power of two from 512 on, or the last one is not whole.
    pub fn from_bytes(sector_size: usize, bytes: Vec<u8>, seed: u64) -> Self {
        let disk = RamDisk::from_bytes(sector_size, bytes);
        Self {
            geometry: disk.geometry(),
            state: RefCell::new(State::new(sector_size, disk.into_bytes(), seed)),
        }
    }

    /// Says from now on what goes wrong.
    pub fn set_faults(&self, faults: Faults) {
        self.state.borrow_mut().set_faults(faults);
    }

    /// The requests to the disk so far.
    pub fn counts(&self) -> DiskCounts {
        self.state.borrow().counts()
    }

    /// Returns whether the power is cut: every request fails with [`Error::Gone`].
    pub fn is_gone(&self) -> bool {
        self.state.borrow().is_gone()
    }

    /// Cuts the power, if that has not happened, and tells what is on the disk afterwards: of
    /// every sector any of the versions that were written since it was last durable, or that.
    /// Each call draws anew. All requests fail with [`Error::Gone`] from now on.
    pub fn cut(&self) -> Vec<u8> {
        self.state.borrow_mut().cut()
    }

    /// The content that reads return now: that of the disk if it is not cut.
    pub fn contents(&self) -> Vec<u8> {
        self.state.borrow().contents()
    }

    /// Begins a request: lets others go first, as often as chance says, and may fail.
    async fn begin(&self) -> Result<(), Error> {
        let polls = self.state.borrow_mut().delay();
        for _ in 0..polls {
            later().await;
        }
        self.state.borrow_mut().step()
    }

    /// Does a write's sectors one after another, so that it can end in the midst.
    async fn store(
        &self,
        write: WriteId,
        sector: u64,
        count: u64,
        content: impl Fn(usize) -> Option<Vec<u8>>,
    ) -> Result<(), Error> {
        for index in 0..count {
            if index > 0 {
                let is_delayed = self.state.borrow_mut().delay() > 0;
                if is_delayed {
                    later().await;
                }
                self.state.borrow_mut().step()?;
            }
            let content = content(index as usize);
            self.state
                .borrow_mut()
                .store(write, sector + index, content)?;
        }
        self.state.borrow_mut().end_write(write, sector, count);
        Ok(())
    }
}

impl Block for FaultyDisk {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    async fn read(&self, sector: u64, mut buffer: Vec<u8>) -> Result<Vec<u8>, Error> {
        self.geometry.check_read(sector, buffer.len())?;
        self.begin().await?;
        self.state.borrow_mut().read(sector, &mut buffer)?;
        Ok(buffer)
    }

    async fn write(&self, sector: u64, buffer: Vec<u8>) -> Result<Vec<u8>, Error> {
        self.geometry.check_write(sector, buffer.len())?;
        let size = self.geometry.sector_size;
        let count = (buffer.len() / size) as u64;
        self.begin().await?;
        let write = self.state.borrow_mut().begin_write();
        let content = |index| Some(buffer[index * size..][..size].to_vec());
        self.store(write, sector, count, content).await?;
        Ok(buffer)
    }

    async fn flush(&self) -> Result<(), Error> {
        // Only what was written before it began becomes durable.
        let ended = self.state.borrow().ended_writes();
        let began = self.begin().await;
        self.state.borrow_mut().flush(ended, began)
    }

    async fn discard(&self, sector: u64, count: u64) -> Result<(), Error> {
        self.geometry.check_change(sector, count)?;
        self.begin().await?;
        let write = self.state.borrow_mut().begin_discard();
        self.store(write, sector, count, |_| None).await
    }

    async fn write_zeroes(&self, sector: u64, count: u64) -> Result<(), Error> {
        self.geometry.check_change(sector, count)?;
        let size = self.geometry.sector_size;
        self.begin().await?;
        let write = self.state.borrow_mut().begin_write();
        let content = |_| Some(vec![0; size]);
        self.store(write, sector, count, content).await
    }
}

/// Lets the other tasks go first.
async fn later() {
    let mut is_polled = false;
    poll_fn(|context| {
        if core::mem::replace(&mut is_polled, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
