//! Records in front of an entry that say more of it: pax records, and GNU's long names.

use super::header::{Kind, text};
use super::sparse::Stretch;
use crate::Error;
use alloc::borrow::ToOwned;
use alloc::vec::Vec;

/// Properties that are told of the next entry besides its header.
#[derive(Clone, Default)]
pub(super) struct Extension {
    long_name: Option<Vec<u8>>,
    path: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) modified: Option<u64>,
    pub(super) sparse: SparseRecords,
}

/// Records of a file whose holes are left out, in GNU's formats 0.0, 0.1 and 1.0.
#[derive(Clone, Default)]
pub(super) struct SparseRecords {
    /// The name, in place of which the path has one that tells of the format.
    name: Option<Vec<u8>>,
    /// The file's size with its holes; `None` if it has no map.
    size: Option<u64>,
    /// Where its bytes lie, in the formats 0.0 and 0.1.
    map: Vec<Stretch>,
    /// The map begins the body instead, in the format 1.0.
    is_in_body: bool,
    offset: u64,
}

/// Where the map of a file of this size is.
pub(super) enum SparseMap<'a> {
    InBody(u64),
    Stretches(u64, &'a [Stretch]),
}

impl SparseRecords {
    /// That of a file with a body of so many bytes, if it has one.
    pub(super) fn of(&self, stored: u64) -> Option<SparseMap<'_>> {
        let size = self.size?;
        if self.is_in_body {
            return Some(SparseMap::InBody(size));
        }
        // A file that is one hole needs no map.
        let has_map = !self.map.is_empty() || stored == 0;
        has_map.then_some(SparseMap::Stretches(size, &self.map))
    }
}

impl Extension {
    /// Takes in what an entry of this kind says of the next, of at most `most` stretches.
    pub(super) fn extend(&mut self, kind: Kind, more: &[u8], most: usize) -> Result<(), Error> {
        match kind {
            Kind::LongName => self.long_name = Some(text(more).to_owned()),
            Kind::LongLink => self.long_link = Some(text(more).to_owned()),
            _ => {
                let mut records = more;
                // Some programs fill the block with zeroes.
                while records.first().is_some_and(|byte| *byte != 0) {
                    let (key, value) = record(&mut records).ok_or(Error::Damaged)?;
                    self.take(key, value).ok_or(Error::Damaged)?;
                    if self.sparse.map.len() > most {
                        return Err(Error::TooLarge);
                    }
                }
            }
        }
        Ok(())
    }

    /// The entry's name, if it is not that of its header.
    pub(super) fn name(&self) -> Option<&[u8]> {
        let names = [&self.sparse.name, &self.path, &self.long_name];
        names.into_iter().find_map(Option::as_deref)
    }

    /// The name of the entry that it is a link to, if it is not that of its header.
    pub(super) fn link(&self) -> Option<&[u8]> {
        self.link.as_deref().or(self.long_link.as_deref())
    }

    /// `None` if a number that counts is none.
    fn take(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        // An empty one takes back what was said before.
        let text = || (!value.is_empty()).then(|| value.to_owned());
        let sparse = &mut self.sparse;
        match key {
            b"path" => self.path = text(),
            b"linkpath" => self.link = text(),
            b"size" if value.is_empty() => self.size = None,
            b"size" => self.size = Some(number(value)?),
            // Such times are before the epoch, or none.
            b"mtime" => self.modified = Some(seconds(value).unwrap_or_default()),
            b"GNU.sparse.name" => sparse.name = text(),
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => sparse.size = Some(number(value)?),
            b"GNU.sparse.major" => sparse.is_in_body = number(value)? == 1,
            b"GNU.sparse.offset" => sparse.offset = number(value)?,
            b"GNU.sparse.numbytes" => sparse.map.push((sparse.offset, number(value)?)),
            b"GNU.sparse.map" => sparse.map = stretches(value)?,
            _ => {}
        }
        Some(())
    }
}

/// Takes the next record: `LENGTH KEY=VALUE\n`. `None` if it is none.
fn record<'a>(records: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let space = records.iter().position(|byte| *byte == b' ')?;
    let length = usize::try_from(number(&records[..space])?).ok()?;
    let record = records.get(space + 1..length)?.strip_suffix(b"\n")?;
    *records = &records[length..];
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some((&record[..equals], &record[equals + 1..]))
}

/// Pairs of offset and length, all divided by commas.
fn stretches(map: &[u8]) -> Option<Vec<Stretch>> {
    let mut numbers = map.split(|byte| *byte == b',');
    let mut stretches = Vec::new();
    while let Some(offset) = numbers.next() {
        stretches.push((number(offset)?, number(numbers.next()?)?));
    }
    Some(stretches)
}

fn number(text: &[u8]) -> Option<u64> {
    core::str::from_utf8(text).ok()?.parse().ok()
}

/// Those of a time with a fraction.
fn seconds(time: &[u8]) -> Option<u64> {
    number(time.split(|byte| *byte == b'.').next()?)
}
