//! A tar archive on a disk.

mod header;
mod reader;
#[cfg(test)]
mod tests;

use crate::tree::Tree;
use crate::{Digest, Entry, Error, Key, KvRo, Metadata, ValueMetadata};
use alloc::vec::Vec;
use core::time::Duration;
use fata_block::Block;
use header::{BLOCK, Extension, Header, Kind, normal, parse, parse_records};
use reader::Reader;

/// The longest name or set of records in front of an entry.
const LONGEST_RECORDS: u64 = 1 << 20;

/// The files of a tar archive, as `tar` writes it, that begins at a disk's first sector.
///
/// Where the files are is found out once; it takes some 150 bytes of memory for each and its key.
/// Names that cannot be keys, symbolic links, devices and empty folders are passed over. Of
/// several files of one name the last counts, as for `tar`.
pub struct TarKv<B> {
    reader: Reader<B>,
    files: Tree<File>,
}

/// Where a file is.
#[derive(Clone, Copy)]
struct File {
    /// In bytes from the beginning of the disk.
    offset: u64,
    size: u64,
    modified: u64,
}

impl<B: Block> TarKv<B> {
    /// Reads the archive's headers: of at most `limit` files.
    ///
    /// # Errors
    /// [`Error::NotAStore`] if there is no archive, [`Error::Damaged`] if it is not whole,
    /// [`Error::TooLarge`] if it has more files, [`Error::Disk`].
    pub async fn open(disk: B, limit: usize) -> Result<Self, Error> {
        let mut archive = Self {
            reader: Reader::new(disk),
            files: Tree::new(),
        };
        archive.scan(limit).await?;
        Ok(archive)
    }

    async fn scan(&mut self, limit: usize) -> Result<(), Error> {
        let end = self.reader.end();
        let mut window = self.reader.window();
        let mut extension = Extension::default();
        let mut place = 0;
        while place + BLOCK <= end {
            let block = window.get(&self.reader, place, BLOCK as usize).await?;
            if block.iter().all(|byte| *byte == 0) {
                return Ok(());
            }
            let damage = if place == 0 {
                Error::NotAStore
            } else {
                Error::Damaged
            };
            let mut entry = parse(block).ok_or(damage)?;
            let is_more = !matches!(entry.kind, Kind::File | Kind::Link | Kind::Other);
            if !is_more {
                entry.size = extension.size.unwrap_or(entry.size);
            }
            let offset = place + BLOCK;
            let size = if entry.kind == Kind::Link {
                0
            } else {
                entry.size
            };
            let room = end - offset;
            place = size
                .checked_next_multiple_of(BLOCK)
                .filter(|size| *size <= room)
                .ok_or(Error::Damaged)?
                + offset;
            if is_more {
                if size > LONGEST_RECORDS {
                    return Err(Error::Damaged);
                }
                let more = window.get(&self.reader, offset, size as usize).await?;
                extend(&mut extension, entry.kind, more)?;
                continue;
            }
            self.add(entry, core::mem::take(&mut extension), offset);
            if self.files.len() > limit {
                return Err(Error::TooLarge);
            }
        }
        Ok(())
    }

    /// Takes note of an entry.
    fn add(&mut self, entry: Header, extension: Extension, offset: u64) {
        let key = |name: &[u8]| {
            normal(name)?
                .parse::<Key>()
                .ok()
                .filter(|key| !key.is_root())
        };
        let Some(name) = key(&extension.path.unwrap_or(entry.name)) else {
            return;
        };
        let file = match entry.kind {
            Kind::File => Some(File {
                offset,
                size: entry.size,
                modified: extension.modified.unwrap_or(entry.modified),
            }),
            Kind::Link => {
                let other = key(&extension.link.unwrap_or(entry.link));
                other.and_then(|other| self.files.get(&other).copied())
            }
            _ => None,
        };
        if let Some(file) = file
            && self.files.check_place(&name).is_ok()
        {
            self.files.insert(name, file);
        }
    }
}

/// Takes in what is said in front of an entry.
fn extend(extension: &mut Extension, kind: Kind, more: &[u8]) -> Result<(), Error> {
    let text = || {
        more.split(|byte| *byte == 0)
            .next()
            .unwrap_or_default()
            .into()
    };
    match kind {
        Kind::LongName => extension.path = Some(text()),
        Kind::LongLink => extension.link = Some(text()),
        Kind::Extended => {
            let records = parse_records(more).ok_or(Error::Damaged)?;
            // Sizes that records give count more than those of the header, and names more
            // than GNU's.
            extension.path = records.path.or(extension.path.take());
            extension.link = records.link.or(extension.link.take());
            extension.size = records.size;
            extension.modified = records.modified;
        }
        // What is said of all entries are comments, such as a commit's name.
        _ => {}
    }
    Ok(())
}

impl<B: Block> KvRo for TarKv<B> {
    /// The digest is that of place, size and time of the file, not of its bytes.
    async fn metadata(&self, key: &Key) -> Result<Metadata, Error> {
        match self.files.value(key) {
            Ok(file) => Ok(Metadata::Value(ValueMetadata {
                size: file.size,
                digest: Digest::from_parts(file.modified << 24 ^ file.size, file.offset),
                modified: (file.modified > 0).then(|| Duration::from_secs(file.modified)),
            })),
            Err(Error::ValueExpected) => Ok(Metadata::Dictionary),
            Err(error) => Err(error),
        }
    }

    async fn get_range(&self, key: &Key, offset: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        let file = self.files.value(key)?;
        let left = file.size.saturating_sub(offset);
        let length = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let place = file.offset.saturating_add(offset);
        self.reader.read(place, &mut buffer[..length]).await?;
        Ok(length)
    }

    async fn list(&self, key: &Key, after: &str, limit: usize) -> Result<Vec<Entry>, Error> {
        self.files.list(key, after, limit)
    }
}
