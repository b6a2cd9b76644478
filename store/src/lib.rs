//! A key-value store on a disk that loses nothing.
//!
//! A change that was acknowledged survives every power cut, and no change is ever there by half:
//! also not if the disk has torn writes apart or done them in another order. [`Store`] implements
//! [`KvRo`](fata_kv::KvRo) and [`KvRw`](fata_kv::KvRw) over any [`Block`](fata_block::Block)
//! whose sectors have 512 to 4,096 bytes. Batches are atomic; those that wait at the same time
//! share a flush.
//!
//! ```
//! use fata_block::RamDisk;
//! use fata_kv::{Error, Key, KvRo, KvRw};
//! use fata_store::{Limits, Store, check, format};
//!
//! fata_task::simulate(|tasks| async move {
//!     let disk = std::rc::Rc::new(RamDisk::new(512, 2048));
//!     format(&disk, 1234).await?;
//!     let store = Store::open(&tasks, disk.clone(), Limits::default()).await?;
//!     let key: Key = "greetings/hello".parse().unwrap();
//!     store.set(&key, b"Hello, world!").await?;
//!     store.set_range(&key, 7, b"again").await?;
//!
//!     let store = Store::open(&tasks, disk.clone(), Limits::default()).await?;
//!     assert_eq!(store.get(&key, 100).await?, b"Hello, again!");
//!     assert!(check(disk).await?.problems.is_empty());
//!     Ok::<(), Error>(())
//! })
//! .unwrap();
//! ```
//!
//! # How
//! It is a copy-on-write B+tree: a transaction writes what it changes to free pages, then one of
//! two superblocks in turn, with checksums of those pages, and flushes once. A superblock whose
//! pages have not all reached the disk does not count. So there is no log to replay and nothing
//! to clean up, and a store that is nearly full is as quick as an empty one.
//!
//! # Bounds
//! Memory does not depend on how much is stored: two bits for each page of 4 KiB (64 KiB for a
//! gibibyte of disk), [`Limits`], and less than 2 MiB while a transaction is under way. Opening
//! reads two superblocks, a page for each 127 MiB of disk and at most 128 more, which are then
//! written again. Of a disk, at most 3.3 TiB are used. Keys have up to
//! [`Key::MAX_LENGTH`](fata_kv::Key::MAX_LENGTH) bytes, and what is set at once has up to
//! [`Limits::waiting`]: larger values are written in ranges, best of a multiple of 64 KiB, under
//! another name, and then renamed.
//!
//! A few pages (128 KiB) are kept for removing, so that a full store can be emptied. To replace a
//! value takes room for both. Values of up to 1,024 bytes lie in the tree, others in pages.
//!
//! Free pages are told to the disk when [`Store::trim`] is called.
//!
//! The format, and why no cut can hurt, are told by `DESIGN.md` in the crate's folder.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod aside;
mod bitmap;
mod cache;
mod check;
mod layout;
mod node;
mod page;
mod queue;
mod reader;
mod record;
mod recovery;
mod room;
mod store;
mod superblock;
mod transaction;
mod tree;
mod trim;
mod volume;
mod written;

pub use check::{Problem, Report, check};
pub use store::{Limits, Store, Usage};
pub use volume::format;
