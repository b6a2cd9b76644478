//! Key-value stores: names in a tree, each with a value of bytes.
//!
//! [`KvRo`] reads a store, [`KvRw`] changes it, durably and with several changes as one. They
//! follow MirageOS's signatures of the same name. [`MemoryKv`] is a store in memory, and
//! [`FileTable`] one of files that are compiled into the image; [`TarKv`] reads an archive on a
//! disk; [`EitherKv`] is a store of one of two kinds.
//!
//! ```
//! use fata_kv::{Error, Key, KvRo, KvRw, MemoryKv};
//!
//! fata_task::simulate(|tasks| async move {
//!     let store = MemoryKv::new(&tasks, 1 << 20);
//!     let key: Key = "people/ada".parse().unwrap();
//!     store.set(&key, b"Lovelace").await?;
//!     assert_eq!(store.get(&key, 100).await?, b"Lovelace");
//!     let names = store.list(&Key::ROOT, "", 10).await?;
//!     assert_eq!(names[0].name, "people");
//!     Ok::<(), Error>(())
//! })
//! .unwrap();
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod change;
mod delegate;
mod either;
mod error;
mod key;
mod memory;
mod metadata;
mod table;
mod tar;
#[cfg(test)]
mod tests;
mod traits;
mod tree;

pub use change::Change;
pub use either::EitherKv;
pub use error::Error;
pub use key::{Key, KeyError};
pub use memory::MemoryKv;
pub use metadata::{Digest, Entry, Kind, Metadata, ValueMetadata};
pub use table::{FileEntry, FileTable};
pub use tar::{LeftOut, TarKv};
pub use traits::{KvRo, KvRw};
