//! `cargo fata disk`: stores, FAT volumes and queues in disk images, from this computer.

mod archive;
mod check;
mod content;
mod interrupt;
mod names;
mod opened;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use fata_block::file::{Access, DiskFile, OpenError};
use fata_block::{Block, FileDisk};
use fata_kv::{Key, KeyError, Kind, KvRo, KvRw};
use fata_store::format;
use fata_task::Handle;

use crate::cli::DiskCommand;
use check::check;
use opened::Opened;

/// Bytes that are read or written at once.
const AT_ONCE: usize = 1 << 20;

/// Status of a check that has found something.
const DAMAGED: u8 = 1;

/// Why a disk's command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}: {1}")]
    Open(PathBuf, OpenError),
    #[error("{0}: {1}")]
    File(PathBuf, #[source] io::Error),
    #[error("{0}: no such file; say how large it is to be, such as --size 64M")]
    NoSize(PathBuf),
    #[error("{0} is not empty, and all of it would be lost; --force formats it all the same")]
    InUse(PathBuf),
    #[error("{0}: {1}")]
    Key(String, KeyError),
    #[error("{0}: {1}")]
    Store(String, fata_kv::Error),
    #[error("{0}: {reason}", reason = archive_reason(*.1))]
    Archive(PathBuf, fata_kv::Error),
    #[error("{0}: {1}")]
    Queue(PathBuf, fata_queue::OpenError),
    #[error("{0}: {1}")]
    Disk(PathBuf, fata_block::Error),
    #[error("{0} is a queue, which programs fill and empty; `cargo fata disk check` checks it")]
    IsQueue(PathBuf),
    #[error("{0} is a FAT volume; only stores can be trimmed")]
    NotTrimmed(PathBuf),
    #[error("{0} has no name that is a key; name the key")]
    NoName(PathBuf),
    #[error("interrupted")]
    Interrupted,
    #[error("cannot listen for signals: {0}")]
    Signals(#[source] io::Error),
    #[error("cannot write: {0}")]
    Output(#[source] io::Error),
}

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

/// Why an archive cannot be unpacked.
fn archive_reason(error: fata_kv::Error) -> String {
    match error {
        fata_kv::Error::NotAStore | fata_kv::Error::NoSectors => {
            "no tar archive, or one with nothing in it; unpack it if it is compressed".into()
        }
        fata_kv::Error::Damaged => "the archive is damaged or ends early; make it anew".into(),
        error => error.to_string(),
    }
}

fn failed(key: &Key, error: fata_kv::Error) -> Error {
    Error::Store(key.to_string(), error)
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

/// Whether the beginning of an image is zero, if there is one.
fn is_blank(image: &Path) -> Result<bool, Error> {
    match fs::metadata(image) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(Error::File(image.into(), error)),
        Ok(metadata) if metadata.is_file() && metadata.len() == 0 => return Ok(true),
        Ok(_) => {}
    }
    with_disk(image, Access::ReadOnly, async |_, disk| {
        let length = disk.geometry().bytes().min(AT_ONCE as u64) as usize;
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

/// Reads up to a buffer's length, less only at the end.
fn read_full(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match input.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// What a key names, if anything.
async fn kind(store: &impl KvRo, key: &Key) -> Result<Option<Kind>, Error> {
    store.exists(key).await.map_err(|error| failed(key, error))
}
