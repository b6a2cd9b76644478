//! The DOS table, in the first sector, and the chain of those that extend it.

use super::{PartitionEntry, PartitionError, PartitionKind, number, read_sector};
use crate::{Block, Error};
use alloc::string::String;
use alloc::vec::Vec;

/// Where the four entries are, and the bytes of each.
const ENTRIES: usize = 446;
const ENTRY: usize = 16;
const SIGNATURE: usize = 510;

const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];
const PROTECTIVE: u8 = 0xee;

/// The first number of a partition in an extended one.
const FIRST_LOGICAL: u32 = 5;
/// More of them make no sense, and may be a loop.
const MOST_LOGICAL: u32 = 128;

#[derive(Clone, Copy)]
struct Entry {
    kind: u8,
    first: u64,
    sectors: u64,
}

impl Entry {
    fn is_extended(self) -> bool {
        EXTENDED.contains(&self.kind)
    }

    fn partition(self, number: u32, base: u64) -> PartitionEntry {
        PartitionEntry {
            number,
            first: base + self.first,
            sectors: self.sectors,
            kind: PartitionKind::Dos(self.kind),
            name: String::new(),
        }
    }
}

pub(super) struct Table([Entry; 4]);

impl Table {
    pub(super) async fn read(disk: &impl Block) -> Result<Self, PartitionError> {
        if disk.geometry().sectors == 0 {
            return Err(PartitionError::NoTable);
        }
        Self::read_at(disk, 0).await?.ok_or(PartitionError::NoTable)
    }

    async fn read_at(disk: &impl Block, sector: u64) -> Result<Option<Self>, Error> {
        let bytes = read_sector(disk, sector).await?;
        let entry = |index| {
            let bytes = &bytes[ENTRIES + index * ENTRY..][..ENTRY];
            Entry {
                kind: bytes[4],
                first: number::<4>(bytes, 8),
                sectors: number::<4>(bytes, 12),
            }
        };
        let is_table = bytes[SIGNATURE..SIGNATURE + 2] == [0x55, 0xaa];
        Ok(is_table.then(|| Self(core::array::from_fn(entry))))
    }

    /// Whether it only keeps others from a disk that has a GUID table.
    pub(super) fn is_protective(&self) -> bool {
        self.0.iter().any(|entry| entry.kind == PROTECTIVE)
    }

    pub(super) async fn partitions(
        &self,
        disk: &impl Block,
    ) -> Result<Vec<PartitionEntry>, PartitionError> {
        let mut found = Vec::new();
        for (number, entry) in (1..).zip(self.0) {
            if entry.kind != 0 && !entry.is_extended() {
                found.push(entry.partition(number, 0));
            }
        }
        if let Some(extended) = self.0.iter().find(|entry| entry.is_extended()) {
            add_logical(disk, *extended, &mut found).await?;
        }
        Ok(found)
    }
}

/// Follows the tables of an extended partition, each of which has one partition and the next table.
async fn add_logical(
    disk: &impl Block,
    extended: Entry,
    found: &mut Vec<PartitionEntry>,
) -> Result<(), PartitionError> {
    let mut place = 0;
    for number in FIRST_LOGICAL..FIRST_LOGICAL + MOST_LOGICAL {
        let sector = extended.first + place;
        if place >= extended.sectors || sector >= disk.geometry().sectors {
            return Err(PartitionError::Damaged);
        }
        let table = Table::read_at(disk, sector).await?;
        let Table([entry, next, ..]) = table.ok_or(PartitionError::Damaged)?;
        if entry.kind != 0 {
            found.push(entry.partition(number, sector));
        }
        if !next.is_extended() {
            return Ok(());
        }
        if next.first <= place {
            return Err(PartitionError::Damaged);
        }
        place = next.first;
    }
    Err(PartitionError::Damaged)
}
