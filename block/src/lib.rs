//! BLOCK: disks of a Fata program.
//!
//! [`Block`] is the device trait: whole sectors, many requests at once, durable after a flush.
#![no_std]

extern crate alloc;
#[cfg(not(fata_vm))]
extern crate std;

mod cache;
mod checksummed;
mod encrypted;
mod error;
mod fault;
#[cfg(not(fata_vm))]
pub mod file;
mod geometry;
mod partition;
mod ram;
mod runs;
mod traits;
mod virtio;
mod zeroes;

pub use cache::{Cache, CacheCounts};
pub use checksummed::{ChecksumError, Checksummed};
pub use encrypted::{Encrypted, EqualHalves};
pub use error::Error;
pub use fault::{DiskCounts, Faults, FaultyDisk};
#[cfg(not(fata_vm))]
pub use file::FileDisk;
pub use geometry::Geometry;
pub use partition::{Partition, PartitionEntry, PartitionError, PartitionKind, partitions};
pub use ram::RamDisk;
pub use runs::runs;
pub use traits::Block;
pub use virtio::VirtioBlock;
pub use zeroize::Zeroizing;
