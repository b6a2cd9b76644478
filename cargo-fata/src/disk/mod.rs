//! `cargo fata disk`: stores, FAT volumes and queues in disk images, from this computer.

mod archive;
mod check;
mod command;
mod content;
mod error;
mod interrupt;
mod names;
mod opened;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use fata_block::file::{Access, DiskFile};
use fata_block::{Block, FileDisk};
use fata_kv::{Key, KvRo, KvRw};
use fata_store::format;
use fata_task::Handle;

use check::check;
use error::failed;
use opened::Opened;

pub use command::{DiskCommand, EXAMPLES};
pub use error::Error;

/// Status of a check that has found something.
const DAMAGED: u8 = 1;

/// Does what was typed, and returns the exit status.
pub fn disk(command: &DiskCommand) -> Result<u8, Error> {
    match command {
        DiskCommand::Format { image, size, force } => {
            if !force && !is_blank(image)? {
                return Err(Error::InUse(image.into()));
            }
            make(image, size.map(|size| size.bytes()))?;
            with_disk(image, Access::ReadWrite, async |_, disk| {
                format_disk(image, &disk).await
            })?;
            Ok(0)
        }
        DiskCommand::Put { image, from, key } => {
            let key = key.as_deref().map(names::parse).transpose()?;
            with_store(image, Access::ReadWrite, async |store| {
                // Nobody else has the disk, so whoever left them is not there any more.
                for part in content::parts(&store).await? {
                    store
                        .remove(&part)
                        .await
                        .map_err(|error| failed(&part, error))?;
                    eprintln!("fata: {part} is removed, as an interrupted put left it");
                }
                content::put(&store, image, from, key).await
            })
        }
        DiskCommand::Get { image, key, to } => {
            let key = names::parse(key)?;
            with_store(image, Access::ReadOnly, async |store| {
                content::get(&store, &key, to.as_deref()).await
            })
        }
        DiskCommand::List { image, key } => {
            let key = names::parse(key.as_deref().unwrap_or_default())?;
            with_store(image, Access::ReadOnly, async |store| {
                list(&store, key).await
            })
        }
        DiskCommand::Remove { image, key } => {
            let key = names::parse(key)?;
            with_store(image, Access::ReadWrite, async |store| {
                store
                    .remove(&key)
                    .await
                    .map_err(|error| failed(&key, error))
            })
        }
        DiskCommand::Trim { image } => with_store(image, Access::ReadWrite, async |store| {
            trim(image, &store).await
        }),
        DiskCommand::Check { image } => {
            with_disk(image, Access::ReadOnly, async |tasks, disk| {
                let is_in_order = check(image, &disk).await?;
                // A queue has none, and what is damaged was told.
                if let Ok(store) = opened::open(image, &tasks, disk).await {
                    for part in content::parts(&store).await? {
                        eprintln!(
                            "fata: {part} is what an interrupted put left; the next removes it"
                        );
                    }
                }
                Ok(if is_in_order { 0 } else { DAMAGED })
            })
        }
    }
}

/// Makes the image's file if there is none, or makes it larger; a device has the size it has.
fn make(image: &Path, size: Option<u64>) -> Result<(), Error> {
    let failed = |error| Error::File(image.into(), error);
    let size = match (size, fs::metadata(image)) {
        (None, Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Error::NoSize(image.into()));
        }
        (None, _) => return Ok(()),
        (Some(size), Ok(metadata)) if !metadata.is_file() || metadata.len() >= size => {
            return Ok(());
        }
        (Some(size), _) => size,
    };
    let file = File::options().create(true).append(true).open(image);
    file.and_then(|file| file.set_len(size)).map_err(failed)
}

async fn format_disk(image: &Path, disk: &FileDisk) -> Result<(), Error> {
    // Random enough to tell stores apart: the seeds of this process's hash tables.
    let identity = {
        use std::hash::{BuildHasher, Hasher, RandomState};
        RandomState::new().build_hasher().finish()
    };
    let done = format(disk, identity).await;
    done.map_err(|error| Error::Store(image.display().to_string(), error))
}

/// Returns whether the beginning of an image is zero, if there is one.
fn is_blank(image: &Path) -> Result<bool, Error> {
    match fs::metadata(image) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(Error::File(image.into(), error)),
        Ok(metadata) if metadata.is_file() && metadata.len() == 0 => return Ok(true),
        Ok(_) => {}
    }
    with_disk(image, Access::ReadOnly, async |_, disk| {
        let length = disk.geometry().bytes().min(content::AT_ONCE as u64) as usize;
        let read = disk.read(0, vec![0; length]).await;
        let bytes = read.map_err(|error| Error::Disk(image.into(), error))?;
        Ok(bytes.iter().all(|byte| *byte == 0))
    })
}

/// Runs something with a disk.
fn with_disk<T>(
    image: &Path,
    access: Access,
    work: impl AsyncFnOnce(Handle, FileDisk) -> Result<T, Error>,
) -> Result<T, Error> {
    let file = DiskFile::open(image, access).map_err(|error| Error::Open(image.into(), error))?;
    let disk = FileDisk::start(file).map_err(|error| Error::File(image.into(), error))?;
    fata_task::block_on(|tasks| work(tasks, disk))
}

/// Runs something with a store or a FAT volume.
fn with_store(
    image: &Path,
    access: Access,
    work: impl AsyncFnOnce(Opened) -> Result<(), Error>,
) -> Result<u8, Error> {
    with_disk(image, access, async |tasks, disk| {
        let store = opened::open(image, &tasks, disk).await?;
        work(store).await.map(|()| 0)
    })
}

/// Prints all values under a key, with their sizes.
async fn list(store: &impl KvRo, key: Key) -> Result<(), Error> {
    let mut output = io::stdout().lock();
    names::walk(store, key, async |key, size| {
        writeln!(output, "{size:>12}  {}", key.as_str()).map_err(Error::Output)
    })
    .await
}

async fn trim(image: &Path, store: &Opened) -> Result<(), Error> {
    let Opened::First(store) = store else {
        return Err(Error::NotTrimmed(image.into()));
    };
    let freed = store.trim().await;
    let freed = freed.map_err(|error| Error::Store(image.display().to_string(), error))?;
    writeln!(io::stdout(), "{freed} bytes are free").map_err(Error::Output)
}
