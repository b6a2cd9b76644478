//! BLOCK: disks of a Fata program.
//!
//! [`Block`] is the device trait: whole sectors, many requests at once, durable after a flush.
//! Drivers and larger adapters are behind features: `virtio`, `file`, `partitions`, `encryption`,
//! `checksums`, and `faults` for tests.
#![no_std]

extern crate alloc;
#[cfg(not(fata_vm))]
extern crate std;

mod cache;
#[cfg(feature = "checksums")]
mod checksummed;
#[cfg(feature = "encryption")]
mod encrypted;
mod error;
#[cfg(feature = "faults")]
mod fault;
#[cfg(all(feature = "file", not(fata_vm)))]
pub mod file;
mod geometry;
#[cfg(feature = "partitions")]
mod partition;
mod ram;
mod runs;
mod traits;
#[cfg(feature = "virtio")]
mod virtio;
#[cfg(any(feature = "encryption", feature = "virtio"))]
mod zeroes;

pub use cache::{Cache, CacheCounts};
#[cfg(feature = "checksums")]
pub use checksummed::{ChecksumError, Checksummed};
#[cfg(feature = "encryption")]
pub use encrypted::{Encrypted, EqualHalves};
pub use error::Error;
#[cfg(feature = "faults")]
pub use fault::{DiskCounts, Faults, FaultyDisk};
#[cfg(all(feature = "file", not(fata_vm)))]
pub use file::FileDisk;
pub use geometry::Geometry;
#[cfg(feature = "partitions")]
pub use partition::{Partition, PartitionEntry, PartitionError, PartitionKind, partitions};
pub use ram::RamDisk;
pub use runs::runs;
pub use traits::Block;
#[cfg(feature = "virtio")]
pub use virtio::VirtioBlock;
#[cfg(feature = "encryption")]
pub use zeroize::Zeroizing;
