//! The contents of an image.

use std::path::Path;
use std::rc::Rc;

use fata_block::FileDisk;
use fata_fat::FatKv;
use fata_kv::{EitherKv, Error as KvError};
use fata_queue::is_queue;
use fata_store::{Limits, Store};
use fata_task::Handle;

use super::error::Error;

/// Memory for what a change writes on a FAT volume.
const LARGEST_CHANGE: usize = 64 << 20;

/// A store or a FAT volume.
pub type Opened = EitherKv<Store<Rc<FileDisk>>, FatKv<Rc<FileDisk>>>;

/// Opens the store or FAT volume that an image has.
pub async fn open(image: &Path, tasks: &Handle, disk: FileDisk) -> Result<Opened, Error> {
    let failed = |error| Error::Store(image.display().to_string(), error);
    let disk = Rc::new(disk);
    let store = Store::open(tasks, Rc::clone(&disk), Limits::default());
    let volume = FatKv::open(tasks, Rc::clone(&disk), LARGEST_CHANGE);
    let error = match EitherKv::open(store, volume).await {
        Err(error @ (KvError::NotAStore | KvError::Unsupported)) => error,
        opened => return opened.map_err(failed),
    };
    match is_queue(&disk).await {
        Ok(true) => Err(Error::IsQueue(image.into())),
        Ok(false) => Err(failed(error)),
        Err(error) => Err(Error::Disk(image.into(), error)),
    }
}
