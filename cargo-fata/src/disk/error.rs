//! Errors of the commands for disks, each with what the user can do about it.

use std::io;
use std::path::PathBuf;

use fata_block::file::OpenError;
use fata_kv::{Key, KeyError};

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

pub fn failed(key: &Key, error: fata_kv::Error) -> Error {
    Error::Store(key.to_string(), error)
}
