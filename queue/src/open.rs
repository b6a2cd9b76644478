//! Finding the queue on a disk.

use crate::OpenError;
use crate::blank::is_blank;
use crate::index::{Index, Slot, data_start, slot_sectors};
use crate::room::Room;
use crate::shared::Item;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use fata_block::{Block, Error, Geometry};

/// The index that counts.
pub(crate) struct Found {
    pub(crate) index: Index,
    pub(crate) slot: u64,
    /// The disk was blank.
    pub(crate) is_new: bool,
}

/// Finds the index of a disk, or gives a blank disk one.
pub(crate) async fn find<B: Block>(disk: &B) -> Result<Found, OpenError> {
    if disk.geometry().read_only {
        return Err(Error::ReadOnly.into());
    }
    match newest(disk).await? {
        Some(found) => {
            write(disk, &found).await?;
            Ok(found)
        }
        None if is_blank(disk).await? => format(disk).await,
        None => Err(OpenError::Foreign),
    }
}

/// Finds the index of a disk, if there is one. The disk is only read.
pub(crate) async fn newest<B: Block>(disk: &B) -> Result<Option<Found>, OpenError> {
    check_size(disk.geometry())?;
    let slots = read_slots(disk).await?;
    let is_damaged = slots.contains(&Slot::Damaged);
    let newest = (0..)
        .zip(slots)
        .filter_map(|(slot, content)| match content {
            Slot::Valid(index) => Some((slot, index)),
            Slot::Damaged | Slot::Other => None,
        })
        .max_by(|(_, one), (_, other)| one.compare_age(other));
    match newest {
        Some((slot, index)) => Ok(Some(Found {
            index: fit(index, disk.geometry())?,
            slot,
            is_new: false,
        })),
        None if is_damaged => Err(OpenError::Damaged("neither of its indices is whole")),
        None => Ok(None),
    }
}

/// Tells whether a disk is a queue, sound or not. The disk is only read, and not all of it.
///
/// # Errors
/// As for [`Block::read`].
pub async fn is_queue<B: Block>(disk: &B) -> Result<bool, Error> {
    if check_size(disk.geometry()).is_err() {
        return Ok(false);
    }
    let slots = read_slots(disk).await?;
    Ok(slots.iter().any(|slot| *slot != Slot::Other))
}

fn check_size(geometry: Geometry) -> Result<(), OpenError> {
    let least = data_start(geometry.sector_size) + 1;
    if geometry.sectors < least {
        return Err(OpenError::TooSmall(
            least.saturating_mul(geometry.sector_size as u64),
        ));
    }
    Ok(())
}

async fn read_slots<B: Block>(disk: &B) -> Result<[Slot; 2], Error> {
    Ok([read_slot(disk, 0).await?, read_slot(disk, 1).await?])
}

async fn read_slot<B: Block>(disk: &B, slot: u64) -> Result<Slot, Error> {
    let size = disk.geometry().sector_size;
    let sectors = slot_sectors(size);
    let buffer = vec![0; sectors as usize * size];
    let bytes = disk.read(slot * sectors, buffer).await?;
    Ok(Slot::decode(&bytes))
}

/// Checks what does not depend on the entries.
fn fit(mut index: Index, geometry: Geometry) -> Result<Index, OpenError> {
    if index.sector_size as usize != geometry.sector_size {
        return Err(OpenError::SectorSize(index.sector_size));
    }
    if index.sectors > geometry.sectors {
        return Err(OpenError::Shrunk(index.sectors));
    }
    if index.entries.is_empty() {
        // Nothing lies on the ring, so it can grow with the disk.
        index.sectors = geometry.sectors;
    }
    if index.sectors <= data_start(geometry.sector_size) {
        return Err(OpenError::Damaged("its index leaves no room for items"));
    }
    Ok(index)
}

/// Makes a blank disk a queue. A sector is written whole or not at all, and so is this.
async fn format<B: Block>(disk: &B) -> Result<Found, OpenError> {
    let found = Found {
        index: Index::empty(disk.geometry()),
        slot: 0,
        is_new: true,
    };
    write(disk, &found).await?;
    Ok(found)
}

/// Makes an index durable. One that was read may be in the host's memory only, and be lost
/// whatever later flushes say, if an earlier program was killed or its flush failed.
async fn write<B: Block>(disk: &B, found: &Found) -> Result<(), Error> {
    let place = found.slot * slot_sectors(disk.geometry().sector_size);
    disk.write(place, found.index.encode()).await?;
    disk.flush().await
}

/// The room of an index, and its items, which take some of it.
pub(crate) fn restore(index: &Index) -> Result<(Rc<Room>, Vec<Rc<Item>>), OpenError> {
    let before = data_start(index.sector_size as usize);
    let room = Room::new(before, index.sectors - before);
    let restore = |entry: &crate::index::Entry| {
        let sectors = entry.length.div_ceil(u64::from(index.sector_size));
        let extent = room.claim(entry.start, sectors)?;
        Some(Rc::new(Item {
            extent: Rc::new(extent),
            length: entry.length,
            checksum: entry.checksum,
        }))
    };
    let items: Option<_> = index.entries.iter().map(restore).collect();
    let items = items.ok_or(OpenError::Damaged("its items overlap or lie outside of it"))?;
    Ok((room, items))
}
