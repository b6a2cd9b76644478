//! What lies on the disk: a store, a tar archive, or a FAT volume.

use fata_block::Block;
use fata_fat::FatKv;
use fata_kv::{EitherKv, Error, TarKv};
use fata_store::{Limits, Store};
use fata_task::Handle;

/// The most files of an archive.
const MOST_FILES: usize = 100_000;

/// One of the three.
pub type Pages<B> = EitherKv<Store<B>, EitherKv<TarKv<B>, FatKv<B>>>;

/// Finds out what the disk has, and what to call it.
pub async fn open<B: Block + Clone + 'static>(
    tasks: &Handle,
    disk: B,
    limits: Limits,
) -> Result<(Pages<B>, &'static str), Error> {
    let error = match Store::open(tasks, disk.clone(), limits).await {
        // Something else may be too small to be a store.
        Err(error @ (Error::NotAStore | Error::Unsupported)) => error,
        opened => return Ok((EitherKv::First(opened?), "a store")),
    };
    match TarKv::open(disk.clone(), MOST_FILES).await {
        Err(Error::NotAStore) => {}
        opened => return Ok((EitherKv::Second(EitherKv::First(opened?)), "a tar archive")),
    }
    // Nothing is changed.
    match FatKv::open(tasks, disk, 0).await {
        Err(Error::NotAStore) => Err(error),
        opened => Ok((EitherKv::Second(EitherKv::Second(opened?)), "a FAT volume")),
    }
}
