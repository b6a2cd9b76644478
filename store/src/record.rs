//! Encoding of the tree's keys and values.
//!
//! A value's key is 1 and its path with NUL in place of `/`, so that what lies in a dictionary
//! follows it at once. Its record holds what is known of it, and a small value itself. A larger
//! one has a number of its own, so that it can be renamed without being touched; its pages are
//! listed in groups, whose keys are 2, that number, and the number of the group.

use crate::page::{PAGE, number, put};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use fata_kv::{Digest, Error, Key, ValueMetadata};

/// Values of up to so many bytes lie in the tree.
pub(crate) const MAX_INLINE: usize = 1024;

/// Pages of a group.
pub(crate) const GROUP: usize = 16;

/// Bytes of a group.
pub(crate) const GROUP_BYTES: u64 = (GROUP * PAGE) as u64;

const NAME: u8 = 1;
const PAGES: u8 = 2;

/// Where the bytes of a small value begin in its record.
const HEAD: usize = 32;

/// The key of a value.
pub(crate) fn name_key(key: &Key) -> Vec<u8> {
    let byte = |byte| if byte == b'/' { 0 } else { byte };
    let path = key.as_str().bytes().map(byte);
    core::iter::once(NAME).chain(path).collect()
}

/// The prefix of the keys of all values in a dictionary.
pub(crate) fn inside(dictionary: &Key) -> Vec<u8> {
    let mut prefix = name_key(dictionary);
    if !dictionary.is_root() {
        prefix.push(0);
    }
    prefix
}

/// The text of a part of a value's key.
pub(crate) fn text(part: &[u8]) -> Result<String, Error> {
    let byte = |byte: &u8| if *byte == 0 { b'/' } else { *byte };
    String::from_utf8(part.iter().map(byte).collect()).map_err(|_| Error::Damaged)
}

/// The value's path, if it is the key of one.
pub(crate) fn path_of(key: &[u8]) -> Option<Result<Key, Error>> {
    let path = key.strip_prefix(&[NAME])?;
    Some(text(path).and_then(|path| match path.parse::<Key>() {
        Ok(key) if key.as_str() == path && !key.is_root() => Ok(key),
        _ => Err(Error::Damaged),
    }))
}

/// The key of a group of pages.
pub(crate) fn group_key(id: u64, group: u64) -> [u8; 17] {
    let mut key = [PAGES; 17];
    key[1..9].copy_from_slice(&id.to_be_bytes());
    key[9..].copy_from_slice(&group.to_be_bytes());
    key
}

/// Which group of which value a key is of.
pub(crate) fn group_of(key: &[u8]) -> Option<(u64, u64)> {
    let key: &[u8; 17] = key.try_into().ok()?;
    let part = |at: usize| u64::from_be_bytes(core::array::from_fn(|index| key[at + index]));
    (key[0] == PAGES).then(|| (part(1), part(9)))
}

/// Record of a value: all that is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Another one whenever the value changes.
    pub(crate) version: u64,
    /// Nanoseconds since the Unix epoch; zero if not known.
    pub(crate) modified: u64,
    pub(crate) size: u64,
    pub(crate) content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Inline(Vec<u8>),
    /// The number under which its groups are.
    Pages(u64),
}

impl Record {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; HEAD];
        put(&mut bytes, 0, self.version);
        put(&mut bytes, 8, self.modified);
        put(&mut bytes, 16, self.size);
        match &self.content {
            Content::Inline(content) => bytes.extend_from_slice(content),
            Content::Pages(id) => put(&mut bytes, 24, *id),
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let content = bytes.get(HEAD..).ok_or(Error::Damaged)?;
        let size = number(bytes, 16);
        let content = match number(bytes, 24) {
            0 if content.len() as u64 == size && content.len() <= MAX_INLINE => {
                Content::Inline(content.to_vec())
            }
            id if id > 0 && content.is_empty() => Content::Pages(id),
            _ => return Err(Error::Damaged),
        };
        Ok(Self {
            version: number(bytes, 0),
            modified: number(bytes, 8),
            size,
            content,
        })
    }

    pub(crate) fn metadata(&self) -> ValueMetadata {
        let modified = core::time::Duration::from_nanos(self.modified);
        ValueMetadata {
            size: self.size,
            digest: Digest::from_parts(self.size, self.version),
            modified: (self.modified > 0).then_some(modified),
        }
    }
}

/// A page of a value: where it is, and its checksum. Where a value was never written there is
/// none, and it reads as zeroes.
pub(crate) type PageEntry = Option<(u64, u64)>;

/// The pages of a group.
pub(crate) type Group = [PageEntry; GROUP];

pub(crate) fn encode_group(group: &Group) -> Vec<u8> {
    let used = group.iter().rposition(Option::is_some);
    let count = used.map_or(0, |last| last + 1);
    let mut bytes = vec![0; 16 * count];
    for (index, entry) in group[..count].iter().enumerate() {
        let (page, sum) = entry.unwrap_or_default();
        put(&mut bytes, 16 * index, page);
        put(&mut bytes, 16 * index + 8, sum);
    }
    bytes
}

pub(crate) fn decode_group(bytes: &[u8]) -> Result<Group, Error> {
    if !bytes.len().is_multiple_of(16) || bytes.len() > 16 * GROUP {
        return Err(Error::Damaged);
    }
    let mut group = [None; GROUP];
    for (index, entry) in bytes.chunks(16).enumerate() {
        let page = number(entry, 0);
        group[index] = (page > 0).then(|| (page, number(entry, 8)));
    }
    // None is ever written, and a check could meet many of them again and again.
    if group.iter().all(Option::is_none) {
        return Err(Error::Damaged);
    }
    Ok(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_say_what_they_are_of() {
        let key: Key = "a/b c".parse().unwrap();
        assert_eq!(name_key(&key), b"\x01a\0b c");
        assert_eq!(inside(&key), b"\x01a\0b c\0");
        assert_eq!(inside(&Key::ROOT), b"\x01");
        assert_eq!(path_of(b"\x01a\0b c"), Some(Ok(key)));
        assert_eq!(path_of(b"\x02a"), None);
        for damaged in [
            &b"\x01"[..],
            b"\x01a\0\0b",
            b"\x01\0a",
            b"\x01a\0",
            b"\x01\xff",
            b"\x01a/",
        ] {
            assert_eq!(path_of(damaged), Some(Err(Error::Damaged)), "{damaged:?}");
        }
        assert_eq!(group_of(&group_key(7, 1 << 40)), Some((7, 1 << 40)));
        assert_eq!(group_of(b"\x01a"), None);
    }

    #[test]
    fn records_and_groups_are_read_as_written() {
        for content in [Content::Inline(vec![7; 3]), Content::Pages(9)] {
            let record = Record {
                version: 1,
                modified: 2,
                size: 3,
                content,
            };
            assert_eq!(Record::decode(&record.encode()), Ok(record));
        }
        assert_eq!(Record::decode(&[0; 31]), Err(Error::Damaged));
        assert_eq!(Record::decode(&[0; 33]), Err(Error::Damaged));
        let mut group = [None; GROUP];
        assert!(encode_group(&group).is_empty());
        group[5] = Some((7, 8));
        assert_eq!(encode_group(&group).len(), 6 * 16);
        assert_eq!(decode_group(&encode_group(&group)), Ok(group));
        assert_eq!(decode_group(&[]), Err(Error::Damaged));
        assert_eq!(decode_group(&[0; 32]), Err(Error::Damaged));
        assert_eq!(decode_group(&[0; 17]), Err(Error::Damaged));
        assert_eq!(decode_group(&[0; 17 * 16]), Err(Error::Damaged));
    }
}
