//! Finding the queue on a disk.

use crate::OpenError;
use crate::blank::is_blank;
use crate::index::{Index, Slot, data_start, slot_sectors};
use crate::queue::Item;
use crate::room::Room;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec;
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
    let geometry = disk.geometry();
    let least = data_start(geometry.sector_size) + 1;
    if geometry.sectors < least {
        return Err(OpenError::TooSmall(
            least.saturating_mul(geometry.sector_size as u64),
        ));
    }
    if geometry.read_only {
        return Err(Error::ReadOnly.into());
    }
    // What a killed program has written is there, but need not be durable.
    disk.flush().await?;
    let slots = [read_slot(disk, 0).await?, read_slot(disk, 1).await?];
    let is_damaged = slots.contains(&Slot::Damaged);
    let newest = (0..)
        .zip(slots)
        .filter_map(|(slot, content)| match content {
            Slot::Valid(index) => Some((slot, index)),
            Slot::Damaged | Slot::Other => None,
        })
        .max_by_key(|(_, index)| index.generation);
    match newest {
        Some((slot, index)) => Ok(Found {
            index: check(index, geometry)?,
            slot,
            is_new: false,
        }),
        None if is_damaged => Err(OpenError::Damaged("neither of its indices is whole")),
        None if is_blank(disk).await? => format(disk).await,
        None => Err(OpenError::Foreign),
    }
}

async fn read_slot<B: Block>(disk: &B, slot: u64) -> Result<Slot, Error> {
    let size = disk.geometry().sector_size;
    let sectors = slot_sectors(size);
    let buffer = vec![0; sectors as usize * size];
    let bytes = disk.read(slot * sectors, buffer).await?;
    Ok(Slot::decode(&bytes))
}

/// Checks what does not depend on the entries.
fn check(mut index: Index, geometry: Geometry) -> Result<Index, OpenError> {
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
    // Far more than any queue ever writes, and far from the largest number.
    if index.generation > u64::MAX / 2 || index.first > u64::MAX / 2 {
        return Err(OpenError::Damaged("its index has an impossible number"));
    }
    Ok(index)
}

/// Makes a blank disk a queue. A sector is written whole or not at all, and so is this.
async fn format<B: Block>(disk: &B) -> Result<Found, OpenError> {
    let index = Index::empty(disk.geometry());
    disk.write(0, index.encode()).await?;
    disk.flush().await?;
    Ok(Found {
        index,
        slot: 0,
        is_new: true,
    })
}

/// Takes the room of an index's items.
pub(crate) fn restore(room: &Rc<Room>, index: &Index) -> Result<VecDeque<Rc<Item>>, OpenError> {
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
    items.ok_or(OpenError::Damaged("its items overlap or lie outside of it"))
}
