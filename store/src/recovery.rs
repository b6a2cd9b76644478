//! Which of the two superblocks counts.

use crate::layout::{CONFIRMATION, Layout};
use crate::page::{PAGE, RUN, checksum, number, put};
use crate::superblock::{Found, Superblock};
use crate::written::total;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::Cell;
use fata_block::{Block, Error as DiskError, runs};
use fata_kv::Error;
use fata_task::all;

/// The state of a store as its last transaction has left it.
pub(crate) struct Recovered {
    pub(crate) superblock: Superblock,
    pub(crate) layout: Layout,
    /// Which of the two places the superblock is in.
    pub(crate) place: u64,
    /// A generation beyond those of both superblocks: no page that counts has it.
    pub(crate) next_generation: u64,
}

/// Finds the last transaction of which all has reached the disk, and makes sure that it stays.
pub(crate) async fn recover<B: Block>(disk: &B) -> Result<Recovered, Error> {
    let geometry = disk.geometry();
    let whole_disk = Layout::of_disk(&geometry)?;
    let Superblocks {
        newer,
        mut older,
        is_one_rotten,
    } = superblocks(disk, &whole_disk).await?;
    let next_generation = newer.1.generation + 1;
    let layout = Layout::new(&geometry, newer.1.pages)?;
    let confirmed = confirmed(disk, &layout, newer.1.identity).await?;
    if confirmed > Some(newer.1.generation) || is_one_rotten && confirmed.is_none() {
        // The superblock of that transaction has rotted, or may be the one that has.
        return Err(Error::Damaged);
    }
    let mut writes = Vec::new();
    let (place, superblock) = if confirmed == Some(newer.1.generation) {
        newer
    } else if let Some(pages) = listed_pages(disk, &layout, &newer.1).await? {
        // Its flush may have failed: then what was read may be in the host's memory only, and no
        // later flush makes it durable.
        writes.push((newer.0, newer.1.encode(newer.0)));
        writes.extend(pages);
        newer
    } else {
        // The one before was flushed before this one was begun.
        older.take().ok_or(Error::Damaged)?
    };
    if older.is_none() {
        // The next writes must not complete what was there. If it reads as erased, the erasing
        // may have been lost.
        writes.push((1 - place, vec![0; PAGE]));
    }
    if !geometry.read_only && !writes.is_empty() {
        write_durably(disk, &layout, writes).await?;
    }
    Ok(Recovered {
        layout: Layout::new(&geometry, superblock.pages)?,
        superblock,
        place,
        next_generation,
    })
}

type Placed = (u64, Superblock);

/// Superblocks in the two places for them.
struct Superblocks {
    newer: Placed,
    older: Option<Placed>,
    /// The disk itself says of one that it is not as it was written.
    is_one_rotten: bool,
}

async fn superblocks<B: Block>(disk: &B, layout: &Layout) -> Result<Superblocks, Error> {
    let mut sound: Vec<Placed> = Vec::new();
    let mut rotten = None;
    for place in 0..2 {
        let bytes = match disk.read(layout.sector(place), vec![0; PAGE]).await {
            Err(error @ DiskError::Corrupt) => {
                rotten = Some(error);
                continue;
            }
            read => read?,
        };
        match Superblock::decode(&bytes, place) {
            Found::Nothing => {}
            Found::Foreign => return Err(Error::Unsupported),
            Found::Sound(superblock) => sound.push((place, superblock)),
        }
    }
    sound.sort_by_key(|(_, superblock)| superblock.generation);
    let nothing = rotten.map_or(Error::NotAStore, Error::Disk);
    Ok(Superblocks {
        newer: sound.pop().ok_or(nothing)?,
        older: sound.pop(),
        is_one_rotten: rotten.is_some(),
    })
}

/// The pages that a superblock lists, if all of them are as they were written.
async fn listed_pages<B: Block>(
    disk: &B,
    layout: &Layout,
    superblock: &Superblock,
) -> Result<Option<Vec<(u64, Vec<u8>)>>, DiskError> {
    let listed = &superblock.listed;
    let is_possible = |page: &u64| (CONFIRMATION + 1..layout.pages).contains(page);
    if !listed.pages.iter().all(is_possible) {
        return Ok(None);
    }
    let found: Vec<Cell<Vec<u8>>> = listed.pages.iter().map(|_| Cell::default()).collect();
    let reads = listed.pages.iter().zip(&found).map(async |(page, found)| {
        let bytes = disk.read(layout.sector(*page), vec![0; PAGE]).await?;
        found.set(bytes);
        Ok(())
    });
    all(reads).await?;
    let found = found.into_iter().map(Cell::into_inner);
    let pages: Vec<(u64, Vec<u8>)> = listed.pages.iter().copied().zip(found).collect();
    let sum = |(page, bytes): &(u64, Vec<u8>)| checksum(superblock.identity, *page, bytes);
    let sums: Vec<u64> = pages.iter().map(sum).collect();
    let is_whole = pages.is_empty() || total(&sums) == listed.sum;
    Ok(is_whole.then_some(pages))
}

/// The confirmation that a transaction is durable: one sector, so that it is written whole or not
/// at all.
pub(crate) fn confirmation(sector_size: usize, identity: u64, generation: u64) -> Vec<u8> {
    let mut bytes = vec![0; sector_size];
    put(&mut bytes, 8, generation);
    let sum = checksum(identity, CONFIRMATION, &bytes[8..]);
    put(&mut bytes, 0, sum);
    bytes
}

/// The generation that is known to be durable, if that can be told.
async fn confirmed<B: Block>(
    disk: &B,
    layout: &Layout,
    identity: u64,
) -> Result<Option<u64>, DiskError> {
    let size = disk.geometry().sector_size;
    let bytes = match disk.read(layout.sector(CONFIRMATION), vec![0; size]).await {
        Err(DiskError::Corrupt) => return Ok(None),
        read => read?,
    };
    let generation = number(&bytes, 8);
    let is_sound = bytes == confirmation(size, identity, generation);
    Ok(is_sound.then_some(generation))
}

/// Writes pages, those that lie together at once, and flushes.
async fn write_durably<B: Block>(
    disk: &B,
    layout: &Layout,
    pages: Vec<(u64, Vec<u8>)>,
) -> Result<(), DiskError> {
    let runs = runs(pages, RUN * PAGE).into_iter();
    let write = async |(page, bytes)| disk.write(layout.sector(page), bytes).await.map(drop);
    all(runs.map(write)).await?;
    disk.flush().await
}
