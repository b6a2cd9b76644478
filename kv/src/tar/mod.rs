//! A tar archive on a disk.

mod file;
mod header;
mod reader;
mod records;
mod scan;
mod sparse;
#[cfg(test)]
mod tests;

use crate::tree::Tree;
use crate::{Digest, Entry, Error, Key, KvRo, Metadata, ValueMetadata};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use fata_block::Block;
use file::File;
use reader::Reader;
use records::Extension;
use scan::Scan;

pub use file::LeftOut;

/// The files of a tar archive that begins at a disk's first sector, with the bytes that `tar -x`
/// unpacks.
///
/// All formats that GNU tar and bsdtar write are read (v7, ustar, pax, and GNU's), also files whose
/// holes are left out (`tar -S`). As for `tar`, the archive ends with the first block of zeroes, of
/// several entries of one name the last counts, and a hard link is the file that had the name when
/// the link was made. [`LeftOut`] tells of what is passed over; empty folders are, too.
///
/// Where the files are is found out once; it takes some 150 bytes of memory for each and its key,
/// and 24 for each stretch of bytes of a file with holes.
pub struct TarKv<B> {
    reader: Reader<B>,
    files: Tree<File>,
}

impl<B> fmt::Debug for TarKv<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TarKv").finish_non_exhaustive()
    }
}

impl<B: Block> TarKv<B> {
    /// Reads the archive's headers: of at most `limit` files and stretches of files with holes.
    /// Entries that are not among the files are told to `left_out`, with their names.
    ///
    /// # Errors
    /// [`Error::NotAStore`] if there is no archive, or nothing in it; [`Error::NoSectors`];
    /// [`Error::Damaged`] if it is not whole, [`Error::TooLarge`] if it has more files,
    /// [`Error::Disk`].
    pub async fn open(
        disk: B,
        limit: usize,
        left_out: impl FnMut(&str, LeftOut),
    ) -> Result<Self, Error> {
        let reader = Reader::new(disk);
        if reader.end() == 0 {
            return Err(Error::NoSectors);
        }
        let scan = Scan {
            window: reader.window(),
            reader: &reader,
            files: Tree::new(),
            limit,
            stretches: 0,
            global: Extension::default(),
            extension: None,
            tell: left_out,
        };
        let files = scan.run().await?;
        Ok(Self { reader, files })
    }
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
        let buffer = &mut buffer[..length];
        let Some(map) = &file.map else {
            let place = file.offset.saturating_add(offset);
            self.reader.read(place, buffer).await?;
            return Ok(length);
        };
        let (place, stored) = map.stored(offset, length);
        let place = file.offset.saturating_add(place);
        self.reader.read(place, &mut buffer[..stored]).await?;
        map.spread(offset, buffer);
        Ok(length)
    }

    async fn list(&self, key: &Key, after: &str, limit: usize) -> Result<Vec<Entry>, Error> {
        self.files.list(key, after, limit)
    }
}
