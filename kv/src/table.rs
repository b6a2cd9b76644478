use crate::{Digest, Entry, Error, Key, Kind, KvRo, Metadata, ValueMetadata};
use alloc::borrow::ToOwned;
use alloc::vec::Vec;
use core::time::Duration;

/// A file of a [`FileTable`].
#[derive(Clone, Copy, Debug)]
pub struct FileEntry {
    /// The path, without a `/` at its start.
    pub path: &'static str,
    /// The bytes.
    pub content: &'static [u8],
    /// The strong entity tag, with its quotes.
    pub etag: &'static str,
    /// When the file was changed last, in seconds since the Unix epoch; 0 if unknown.
    pub modified: u64,
}

/// Files that are compiled into the program, sorted by path. The crate `fata-http-build`
/// makes the table of a folder.
///
/// ```
/// use fata_kv::{FileEntry, FileTable, Key, KvRo};
///
/// static FILES: &[FileEntry] = &[
///     FileEntry { path: "about/index.html", content: b"<p>us", etag: "\"1\"", modified: 0 },
///     FileEntry { path: "index.html", content: b"<p>hello", etag: "\"2\"", modified: 0 },
/// ];
/// let files = FileTable::new(FILES);
/// let key: Key = "index.html".parse().unwrap();
/// assert_eq!(fata_task::simulate(|_| async move { files.size(&key).await }), Ok(8));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FileTable {
    entries: &'static [FileEntry],
}

impl FileTable {
    /// The files of a table that is sorted by path, bytewise. Files of a table that is
    /// not sorted may not be found.
    pub const fn new(entries: &'static [FileEntry]) -> Self {
        Self { entries }
    }

    /// The files, sorted by path.
    pub const fn entries(&self) -> &'static [FileEntry] {
        self.entries
    }

    /// The file of a path.
    pub fn entry(&self, path: &str) -> Option<&'static FileEntry> {
        let found = self.entries.binary_search_by(|entry| entry.path.cmp(path));
        Some(&self.entries[found.ok()?])
    }

    /// The paths in a dictionary, without the dictionary's own.
    fn inside(&self, key: &Key) -> impl Iterator<Item = &'static str> {
        let dictionary = key.as_str();
        let first = self
            .entries
            .partition_point(|entry| entry.path < dictionary);
        self.entries[first..]
            .iter()
            .map(|entry| entry.path)
            .take_while(move |path| path.starts_with(dictionary))
            .filter_map(move |path| match dictionary {
                "" => Some(path),
                _ => path[dictionary.len()..].strip_prefix('/'),
            })
    }
}

impl KvRo for FileTable {
    async fn metadata(&self, key: &Key) -> Result<Metadata, Error> {
        if let Some(entry) = self.entry(key.as_str()) {
            let size = entry.content.len() as u64;
            return Ok(Metadata::Value(ValueMetadata {
                size,
                digest: Digest::of(entry.etag.as_bytes(), size),
                modified: (entry.modified > 0).then(|| Duration::from_secs(entry.modified)),
            }));
        }
        if key.is_root() || self.inside(key).next().is_some() {
            return Ok(Metadata::Dictionary);
        }
        Err(Error::NotFound)
    }

    async fn get_range(&self, key: &Key, offset: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        match self.entry(key.as_str()) {
            Some(entry) => Ok(copy_range(entry.content, offset, buffer)),
            None => match self.metadata(key).await? {
                Metadata::Dictionary => Err(Error::ValueExpected),
                Metadata::Value(_) => Err(Error::NotFound),
            },
        }
    }

    async fn list(&self, key: &Key, after: &str, limit: usize) -> Result<Vec<Entry>, Error> {
        if self.metadata(key).await?.kind() == Kind::Value {
            return Err(Error::DictionaryExpected);
        }
        let names = self.inside(key).map(|path| match path.split_once('/') {
            Some((name, _)) => (name, Kind::Dictionary),
            None => (path, Kind::Value),
        });
        // Paths that begin with the same name lie together only if nothing sorts before the `/`.
        let mut names: Vec<_> = names.filter(|(name, _)| *name > after).collect();
        names.sort_unstable_by_key(|(name, _)| *name);
        names.dedup();
        let entries = names.into_iter().take(limit).map(|(name, kind)| Entry {
            name: name.to_owned(),
            kind,
        });
        Ok(entries.collect())
    }
}

/// Copies bytes from `offset` on and tells how many there were.
pub(crate) fn copy_range(bytes: &[u8], offset: u64, buffer: &mut [u8]) -> usize {
    let rest = usize::try_from(offset)
        .ok()
        .and_then(|offset| bytes.get(offset..))
        .unwrap_or_default();
    let length = rest.len().min(buffer.len());
    buffer[..length].copy_from_slice(&rest[..length]);
    length
}
