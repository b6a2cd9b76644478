//! Partitions of a disk, as an MBR or a GPT has them.
#![forbid(unsafe_code)]

mod boot_sector;
mod entry;
mod gpt;
mod mbr;
mod sector;
#[cfg(test)]
mod tests;

use crate::{Block, Error, Geometry};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

pub use entry::{PartitionEntry, PartitionError, PartitionKind};

/// A part of a disk, itself a disk. Others may use the rest of it.
#[derive(Clone, Debug)]
pub struct Partition<B> {
    disk: B,
    first: u64,
    geometry: Geometry,
}

/// The partitions of a disk, in the order of its table.
///
/// There is a table where libblkid finds one: not in the first sector of a file system, and not
/// where a mark of what to start from is none. A GPT (UEFI 2.10, section 5.3) whose first
/// copy is damaged, or cannot be read, is taken from its second. Entries that are empty, lie
/// outside of the disk, or in a partition in front of them in the table are left out, each by itself.
///
/// # Errors
/// [`PartitionError`].
pub async fn partitions(disk: &impl Block) -> Result<Vec<PartitionEntry>, PartitionError> {
    let table = mbr::Table::read(disk).await?;
    let entries = match (table.is_protective(), table.is_none()) {
        (true, is_none) => match gpt::read(disk).await {
            Err(PartitionError::Damaged) if is_none => return Err(PartitionError::NoTable),
            read => read?,
        },
        (false, true) => return Err(PartitionError::NoTable),
        (false, false) => table.partitions(disk).await?,
    };
    Ok(usable(entries, &disk.geometry()))
}

/// Those that lie on the disk behind its table, and not in another.
fn usable(entries: Vec<PartitionEntry>, geometry: &Geometry) -> Vec<PartitionEntry> {
    // Where each ends, by where it begins.
    let mut taken = BTreeMap::new();
    let mut usable = entries;
    usable.retain(|entry| {
        let lies_on_disk = geometry.check_range(entry.first, entry.sectors).is_ok();
        if entry.first == 0 || entry.sectors == 0 || !lies_on_disk {
            return false;
        }
        let end = entry.first + entry.sectors;
        let before = taken.range(..end).next_back();
        let is_free = before.is_none_or(|(_, end)| *end <= entry.first);
        if is_free {
            taken.insert(entry.first, end);
        }
        is_free
    });
    usable
}

impl<B: Block> Partition<B> {
    /// The partition that an entry of the disk's table describes.
    ///
    /// # Errors
    /// [`PartitionError::Outside`].
    pub fn new(disk: B, entry: &PartitionEntry) -> Result<Self, PartitionError> {
        let geometry = disk.geometry();
        let range = geometry.check_range(entry.first, entry.sectors);
        range.map_err(|_| PartitionError::Outside)?;
        Ok(Self {
            disk,
            first: entry.first,
            geometry: Geometry {
                sectors: entry.sectors,
                ..geometry
            },
        })
    }

    /// The first partition of the disk's table that fits.
    ///
    /// # Errors
    /// [`PartitionError`].
    pub async fn find(
        disk: B,
        fits: impl Fn(&PartitionEntry) -> bool,
    ) -> Result<Self, PartitionError> {
        let entries = partitions(&disk).await?;
        let entry = entries.iter().find(|entry| fits(entry));
        Self::new(disk, entry.ok_or(PartitionError::NotFound)?)
    }

    /// Where a sector of the partition is on the disk, after what is asked for was checked.
    fn place(&self, sector: u64, checked: Result<(), Error>) -> Result<u64, Error> {
        checked.map(|()| self.first + sector)
    }
}

impl<B: Block> Block for Partition<B> {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    async fn read(&self, sector: u64, buffer: Vec<u8>) -> Result<Vec<u8>, Error> {
        let checked = self.geometry.check_read(sector, buffer.len());
        self.disk.read(self.place(sector, checked)?, buffer).await
    }

    async fn write(&self, sector: u64, buffer: Vec<u8>) -> Result<Vec<u8>, Error> {
        let checked = self.geometry.check_write(sector, buffer.len());
        self.disk.write(self.place(sector, checked)?, buffer).await
    }

    async fn flush(&self) -> Result<(), Error> {
        self.disk.flush().await
    }

    async fn discard(&self, sector: u64, count: u64) -> Result<(), Error> {
        let checked = self.geometry.check_change(sector, count);
        self.disk.discard(self.place(sector, checked)?, count).await
    }

    async fn write_zeroes(&self, sector: u64, count: u64) -> Result<(), Error> {
        let checked = self.geometry.check_change(sector, count);
        let place = self.place(sector, checked)?;
        self.disk.write_zeroes(place, count).await
    }
}
