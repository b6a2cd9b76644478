//! The MBR, in the first sector, and the chain of those that extend it.

use super::boot_sector::is_file_system;
use super::entry::{PartitionEntry, PartitionError, PartitionKind};
use super::sector::{number, read_sector};
use crate::{Block, Error};
use alloc::string::String;
use alloc::vec::Vec;

/// Where the four entries are, and the bytes of each.
const ENTRIES: usize = 446;
const ENTRY: usize = 16;
const SIGNATURE: usize = 510;

/// The marks of a partition that is not to be started from, and of one that is.
const INDICATORS: [u8; 2] = [0x00, 0x80];
const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];
const PROTECTIVE: u8 = 0xee;

/// The first number of a partition in an extended one.
const FIRST_LOGICAL: u32 = 5;
/// The tables of all extended partitions, at most; Linux follows as many in vain.
const MOST_TABLES: usize = 100;
/// Of the entries of such a table, those that may be a partition.
const OF_PARTITIONS: usize = 2;

#[derive(Clone, Copy)]
struct Entry {
    indicator: u8,
    kind: u8,
    first: u64,
    sectors: u64,
}

impl Entry {
    fn is_extended(&self) -> bool {
        EXTENDED.contains(&self.kind) && self.sectors > 0
    }

    fn is_partition(&self) -> bool {
        self.kind != 0 && self.sectors > 0 && !EXTENDED.contains(&self.kind)
    }

    fn partition(&self, number: u32, base: u64) -> PartitionEntry {
        PartitionEntry {
            number,
            first: base + self.first,
            sectors: self.sectors,
            kind: PartitionKind::Mbr(self.kind),
            name: String::new(),
        }
    }
}

pub(super) struct Table {
    entries: [Entry; 4],
    is_file_system: bool,
}

impl Table {
    /// The table in a disk's first sector, if that has one's signature.
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
                indicator: bytes[0],
                kind: bytes[4],
                first: number::<4>(bytes, 8),
                sectors: number::<4>(bytes, 12),
            }
        };
        let is_table = bytes[SIGNATURE..SIGNATURE + 2] == [0x55, 0xaa];
        Ok(is_table.then(|| Self {
            entries: core::array::from_fn(entry),
            is_file_system: is_file_system(&bytes),
        }))
    }

    /// Returns whether it only keeps others from a disk that has a GPT.
    pub(super) fn is_protective(&self) -> bool {
        self.entries.iter().any(|entry| entry.kind == PROTECTIVE)
    }

    /// Returns whether the sector is that of a file system, or has something else in place of
    /// entries.
    pub(super) fn is_none(&self) -> bool {
        let is_odd = |entry: &Entry| !INDICATORS.contains(&entry.indicator);
        self.is_file_system || self.entries.iter().any(is_odd)
    }

    pub(super) async fn partitions(
        &self,
        disk: &impl Block,
    ) -> Result<Vec<PartitionEntry>, PartitionError> {
        let mut found = Vec::new();
        for (number, entry) in (1..).zip(&self.entries) {
            if entry.is_partition() {
                found.push(entry.partition(number, 0));
            }
        }
        let mut logical = Logical::default();
        for entry in self.entries.iter().filter(|entry| entry.is_extended()) {
            logical.follow(disk, entry).await?;
        }
        found.append(&mut logical.found);
        Ok(found)
    }
}

/// The partitions in extended ones.
#[derive(Default)]
struct Logical {
    found: Vec<PartitionEntry>,
    /// Where the tables are that were read.
    tables: Vec<u64>,
}

impl Logical {
    /// Follows the tables of an extended partition, each of which has one partition and the next
    /// table. The chain ends where it leads elsewhere.
    async fn follow(&mut self, disk: &impl Block, extended: &Entry) -> Result<(), Error> {
        let mut place = 0;
        while self.tables.len() < MOST_TABLES {
            let sector = extended.first + place;
            let is_there = place < extended.sectors && sector < disk.geometry().sectors;
            if !is_there || sector == 0 || self.tables.contains(&sector) {
                return Ok(());
            }
            self.tables.push(sector);
            let Some(table) = Table::read_at(disk, sector).await? else {
                return Ok(());
            };
            let entries = table.entries.iter().take(OF_PARTITIONS);
            for entry in entries.filter(|entry| entry.is_partition()) {
                let number = FIRST_LOGICAL + self.found.len() as u32;
                self.found.push(entry.partition(number, sector));
            }
            let Some(next) = table.entries.iter().find(|entry| entry.is_extended()) else {
                return Ok(());
            };
            place = next.first;
        }
        Ok(())
    }
}
