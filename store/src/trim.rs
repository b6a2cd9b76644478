//! Telling the disk which pages are free, a part at a time, between transactions.

use crate::volume::Volume;
use alloc::vec::Vec;
use fata_block::Block;
use fata_kv::Error;
use fata_task::all;

/// Most runs of pages of a part.
const RUNS: usize = 32;

/// Most pages of a run, 64 MiB: a disk may be busy with more for long.
const RUN: u64 = 16 << 10;

/// The part of a trim that was done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) pages: u64,
    /// Where the next part begins, if there is one.
    pub(crate) next: Option<u64>,
}

/// Discards the next free pages, while no transaction is under way.
pub(crate) async fn trim_part<B: Block>(volume: &Volume<B>, from: u64) -> Result<Part, Error> {
    volume.level().await?;
    let mut runs = Vec::new();
    let mut next = Some(from);
    while let Some(from) = next.filter(|_| runs.len() < RUNS) {
        let run = volume.bitmap.borrow().free_run(from, RUN);
        next = run.map(|(page, count)| page + count);
        runs.extend(run);
    }
    let pages = runs.iter().map(|(_, count)| count).sum();
    let discards = runs.into_iter();
    all(discards.map(|(page, count)| volume.discard(page, count))).await?;
    Ok(Part { pages, next })
}
