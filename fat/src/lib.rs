//! FAT volumes as key-value stores: [`FatKv`] reads and writes what mkfs.fat, mtools, Linux and
//! Windows write and read, on any disk ([`fata_block::Block`]).
//!
//! The file system itself is the crate `hadris-fat`. Each change mounts the volume anew, on a
//! disk whose changes stay in memory until the request has succeeded; so one that fails leaves
//! no trace, and nothing of the file system has to be kept between requests but a bounded cache
//! of what was read, and of where files lie.
//!
//! ```
//! use fata_block::RamDisk;
//! use fata_fat::FatKv;
//! use fata_kv::{Error, Key, KvRo};
//!
//! async fn print(tasks: &fata_task::Handle, disk: RamDisk) -> Result<(), Error> {
//!     let volume = FatKv::open(tasks, disk, 1 << 20).await?;
//!     for entry in volume.list(&Key::ROOT, "", 100).await? {
//!         println!("{}", entry.name);
//!     }
//!     Ok(())
//! }
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod change;
mod changes;
mod check;
mod device;
mod error;
mod kv;
mod pages;
mod places;
mod read;
mod session;
mod stamp;
mod volume;

pub use check::check;
pub use kv::FatKv;
