//! BLOCK: disks of a Fata program.
//!
//! [`Block`] is the device trait: whole sectors, many requests at once, durable after a flush.
#![no_std]

extern crate alloc;
#[cfg(not(fata_vm))]
extern crate std;

mod error;
#[cfg(not(fata_vm))]
pub mod file;
mod geometry;
mod ram;
mod traits;

pub use error::Error;
#[cfg(not(fata_vm))]
pub use file::FileDisk;
pub use geometry::Geometry;
pub use ram::RamDisk;
pub use traits::Block;
