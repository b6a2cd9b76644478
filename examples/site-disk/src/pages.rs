//! What lies on the disk: a store, or a tar archive.

use fata_block::Block;
use fata_kv::{Entry, Error, Key, KvRo, Metadata, TarKv};
use fata_store::{Limits, Store};
use fata_task::Handle;

use alloc::vec::Vec;

/// The most files of an archive.
const MOST_FILES: usize = 100_000;

pub enum Pages<B> {
    Store(Store<B>),
    Archive(TarKv<B>),
}

impl<B: Block + Clone + 'static> Pages<B> {
    /// Finds out what the disk has.
    pub async fn open(tasks: &Handle, disk: B) -> Result<Self, Error> {
        match Store::open(tasks, disk.clone(), Limits::default()).await {
            // An archive may be too small to be a store.
            Err(error @ (Error::NotAStore | Error::Unsupported)) => {
                match TarKv::open(disk, MOST_FILES).await {
                    Err(Error::NotAStore) => Err(error),
                    opened => Ok(Self::Archive(opened?)),
                }
            }
            opened => Ok(Self::Store(opened?)),
        }
    }

    /// What it is.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Store(_) => "a store",
            Self::Archive(_) => "a tar archive",
        }
    }
}

impl<B: Block + 'static> KvRo for Pages<B> {
    async fn metadata(&self, key: &Key) -> Result<Metadata, Error> {
        match self {
            Self::Store(store) => store.metadata(key).await,
            Self::Archive(archive) => archive.metadata(key).await,
        }
    }

    async fn get_range(&self, key: &Key, offset: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        match self {
            Self::Store(store) => store.get_range(key, offset, buffer).await,
            Self::Archive(archive) => archive.get_range(key, offset, buffer).await,
        }
    }

    async fn list(&self, key: &Key, after: &str, limit: usize) -> Result<Vec<Entry>, Error> {
        match self {
            Self::Store(store) => store.list(key, after, limit).await,
            Self::Archive(archive) => archive.list(key, after, limit).await,
        }
    }
}
