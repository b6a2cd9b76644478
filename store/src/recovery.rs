//! Which of the two superblocks counts.

use crate::layout::{CONFIRMATION, Layout};
use crate::page::{PAGE, checksum, number, put};
use crate::superblock::{Found, Superblock};
use crate::written::total;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::Cell;
use fata_block::{Block, Error as DiskError};
use fata_kv::Error;
use fata_task::all;

/// The state of a store as its last transaction has left it.
pub(crate) struct Recovered {
    pub(crate) superblock: Superblock,
    pub(crate) layout: Layout,
    /// Which of the two places the superblock is in.
    pub(crate) place: u64,
    /// A generation that no page on the disk has.
    pub(crate) next_generation: u64,
}

/// Finds the last transaction of which all has reached the disk.
pub(crate) async fn recover<B: Block>(disk: &B) -> Result<Recovered, Error> {
    let geometry = disk.geometry();
    let whole_disk = Layout::of_disk(&geometry)?;
    if !geometry.read_only {
        // What an earlier program left in the host's memory counts only if it stays.
        disk.flush().await?;
    }
    let (newer, older) = superblocks(disk, &whole_disk).await?;
    let next_generation = newer.1.generation + 1;
    let layout = Layout::new(&geometry, newer.1.pages)?;
    let confirmed = confirmed(disk, &layout, newer.1.identity).await?;
    if confirmed > newer.1.generation {
        // The superblock of that transaction has rotted.
        return Err(Error::Damaged);
    }
    let is_confirmed = confirmed == newer.1.generation;
    let (place, superblock) = if is_confirmed || is_whole(disk, &layout, &newer.1).await? {
        newer
    } else {
        // The one before was flushed before this one was begun.
        let older = older.ok_or(Error::Damaged)?;
        if !geometry.read_only {
            // What is written next must not complete it.
            erase(disk, &layout, newer.0).await?;
        }
        older
    };
    Ok(Recovered {
        layout: Layout::new(&geometry, superblock.pages)?,
        superblock,
        place,
        next_generation,
    })
}

type Placed = (u64, Superblock);

/// The sound superblocks and their places, the newer one first.
async fn superblocks<B: Block>(
    disk: &B,
    layout: &Layout,
) -> Result<(Placed, Option<Placed>), Error> {
    let mut sound: Vec<Placed> = Vec::new();
    for place in 0..2 {
        let bytes = disk.read(layout.sector(place), vec![0; PAGE]).await?;
        match Superblock::decode(&bytes, place) {
            Found::Nothing => {}
            Found::Foreign => return Err(Error::Unsupported),
            Found::Sound(superblock) => sound.push((place, superblock)),
        }
    }
    sound.sort_by_key(|(_, superblock)| superblock.generation);
    let newer = sound.pop().ok_or(Error::NotAStore)?;
    Ok((newer, sound.pop()))
}

/// Whether all pages that a superblock lists are as they were written.
async fn is_whole<B: Block>(
    disk: &B,
    layout: &Layout,
    superblock: &Superblock,
) -> Result<bool, DiskError> {
    let listed = &superblock.listed;
    if listed.pages.iter().any(|page| *page >= layout.pages) {
        return Ok(false);
    }
    let sums: Vec<Cell<u64>> = listed.pages.iter().map(|_| Cell::new(0)).collect();
    let reads = listed.pages.iter().zip(&sums).map(async |(page, sum)| {
        let bytes = disk.read(layout.sector(*page), vec![0; PAGE]).await?;
        sum.set(checksum(superblock.identity, *page, &bytes));
        Ok(())
    });
    all(reads).await?;
    let sums: Vec<u64> = sums.iter().map(Cell::get).collect();
    Ok(listed.pages.is_empty() || total(&sums) == listed.sum)
}

/// What says that a transaction is durable: one sector, so that it is written whole or not at all.
pub(crate) fn confirmation(sector_size: usize, identity: u64, generation: u64) -> Vec<u8> {
    let mut bytes = vec![0; sector_size];
    put(&mut bytes, 8, generation);
    let sum = checksum(identity, CONFIRMATION, &bytes[8..]);
    put(&mut bytes, 0, sum);
    bytes
}

/// The generation that is known to be durable; 0 if that cannot be told.
async fn confirmed<B: Block>(disk: &B, layout: &Layout, identity: u64) -> Result<u64, DiskError> {
    let size = disk.geometry().sector_size;
    let bytes = disk
        .read(layout.sector(CONFIRMATION), vec![0; size])
        .await?;
    let generation = number(&bytes, 8);
    let is_sound = bytes == confirmation(size, identity, generation);
    Ok(if is_sound { generation } else { 0 })
}

async fn erase<B: Block>(disk: &B, layout: &Layout, place: u64) -> Result<(), DiskError> {
    disk.write(layout.sector(place), vec![0; PAGE]).await?;
    disk.flush().await
}
