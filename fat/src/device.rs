//! The disk that the file system of a request sees.

use crate::changes::Changes;
use crate::error::Fault;
use crate::volume::Volume;
use alloc::boxed::Box;
use alloc::rc::Rc;
use core::cell::Cell;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use fata_block::Block;
use hadris_io::{Error, ErrorKind, ErrorType};
use hadris_storage::async_::BlockDevice;
use hadris_storage::{BlockIndex, BlockSize};

/// How often one step of a request may read what the volume has in all. A sound volume needs
/// no more than a few times.
const ROUNDS: u64 = 16;

/// The sectors that a step may still read, so that none goes on without end.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    left: Rc<Cell<u64>>,
    step: u64,
}

impl Budget {
    fn new(sectors: u64) -> Self {
        let step = sectors.saturating_mul(ROUNDS).saturating_add(1000);
        Self {
            left: Rc::new(Cell::new(step)),
            step,
        }
    }

    /// Begins another step.
    pub(crate) fn renew(&self) {
        self.left.set(self.step);
    }

    fn spend(&self) -> Result<(), Fault> {
        let left = self.left.get().checked_sub(1).ok_or(Fault::Endless)?;
        self.left.set(left);
        Ok(())
    }
}

/// A disk whose changes stay in memory.
pub(crate) struct Device<'a, B> {
    volume: &'a Volume<B>,
    pub(crate) changes: Changes,
    budget: Budget,
}

impl<'a, B: Block> Device<'a, B> {
    pub(crate) fn new(volume: &'a Volume<B>) -> Self {
        Self {
            volume,
            changes: Changes::new(volume.room),
            budget: Budget::new(volume.disk.geometry().sectors),
        }
    }

    pub(crate) fn budget(&self) -> Budget {
        self.budget.clone()
    }
}

type Fetch<'a> = Pin<Box<dyn Future<Output = Result<(), fata_block::Error>> + 'a>>;

/// How far a read has got.
#[derive(Default)]
pub(crate) struct Reading<'a> {
    /// Sectors that have been copied.
    done: usize,
    fetch: Option<Fetch<'a>>,
}

fn failure(fault: Fault) -> Error<Fault> {
    Error::device(fault, "the disk failed")
}

impl<B> ErrorType for Device<'_, B> {
    type Error = Fault;
}

impl<'a, B: Block> BlockDevice for Device<'a, B> {
    type State = Reading<'a>;

    fn block_size(&self) -> BlockSize {
        let size = self.volume.disk.geometry().sector_size;
        let size = u32::try_from(size).ok().and_then(BlockSize::new);
        size.expect("sectors are powers of two that a session checks")
    }

    fn block_count(&self) -> u64 {
        self.volume.disk.geometry().sectors
    }

    fn writable(&self) -> bool {
        !self.volume.disk.geometry().read_only
    }

    fn poll_read_blocks(
        &mut self,
        state: &mut Reading<'a>,
        context: &mut Context<'_>,
        first: BlockIndex,
        buffer: &mut [u8],
    ) -> Poll<Result<(), Error<Fault>>> {
        let size = self.volume.disk.geometry().sector_size;
        let end = first.get() + (buffer.len() / size) as u64;
        while let Some(part) = buffer.chunks_exact_mut(size).nth(state.done) {
            let sector = first.get() + state.done as u64;
            if let Some(changed) = self.changes.get(sector) {
                part.copy_from_slice(changed);
            } else if !self.volume.copy(sector, part) {
                let volume = self.volume;
                let fetch = state
                    .fetch
                    .get_or_insert_with(|| Box::pin(volume.fetch(sector, end)));
                let fetched = ready!(fetch.as_mut().poll(context));
                state.fetch = None;
                fetched.map_err(|error| failure(Fault::Disk(error)))?;
                continue;
            }
            self.budget.spend().map_err(failure)?;
            state.done += 1;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_blocks(
        &mut self,
        _: &mut Reading<'a>,
        _: &mut Context<'_>,
        first: BlockIndex,
        buffer: &[u8],
    ) -> Poll<Result<(), Error<Fault>>> {
        if !self.writable() {
            return Poll::Ready(Err(Error::new(ErrorKind::ReadOnly, "read-only disk")));
        }
        let size = self.volume.disk.geometry().sector_size;
        for (sector, part) in (first.get()..).zip(buffer.chunks_exact(size)) {
            let put = self.changes.put(sector, part);
            put.map_err(|_| failure(Fault::TooMany))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Ends a phase: all writes before are to be on the disk before those that follow.
    fn poll_flush(
        &mut self,
        _: &mut Reading<'a>,
        _: &mut Context<'_>,
    ) -> Poll<Result<(), Error<Fault>>> {
        self.changes.end_phase();
        Poll::Ready(Ok(()))
    }

    fn cancel(&mut self, state: &mut Reading<'a>) {
        state.fetch = None;
    }
}
