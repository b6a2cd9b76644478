//! Entries of partition tables, and reasons why there are none.

use crate::Error;
use alloc::string::String;
use core::fmt;

/// The entry of a partition in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionEntry {
    /// Its number, from 1 on, as Linux counts: logical partitions of a DOS table begin at 5.
    pub number: u32,
    /// Its first sector.
    pub first: u64,
    /// How many sectors it has.
    pub sectors: u64,
    /// Its purpose.
    pub kind: PartitionKind,
    /// Its name; an MBR has none.
    pub name: String,
}

/// The purpose of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionKind {
    /// The type in an MBR, such as 0x83 for Linux.
    Mbr(u8),
    /// The type in a GPT, in the order of its bytes on the disk.
    Gpt([u8; 16]),
}

/// Why there are no partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PartitionError {
    /// The disk has no table; a file system may be on all of it.
    NoTable,
    /// Both copies of a GPT are damaged: a checksum is wrong, or they are not where they
    /// belong.
    Damaged,
    /// The table has no such partition.
    NotFound,
    /// The partition does not lie on the disk.
    Outside,
    /// The disk failed.
    Disk(Error),
}

impl fmt::Display for PartitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoTable => "the disk has no table of partitions; use all of it",
            Self::Damaged => {
                "both copies of the table of partitions are damaged; attach a sound copy of the disk"
            }
            Self::NotFound => "the disk has no such partition; ask for one that it has",
            Self::Outside => "the partition does not lie on the disk; attach all of the disk",
            Self::Disk(error) => return error.fmt(f),
        })
    }
}

impl core::error::Error for PartitionError {}

impl From<Error> for PartitionError {
    fn from(error: Error) -> Self {
        Self::Disk(error)
    }
}
