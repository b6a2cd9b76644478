//! The headers of a tar archive: those of POSIX (pax), and GNU's long names.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

/// Bytes of a header, and what all sizes are rounded up to.
pub(super) const BLOCK: u64 = 512;

/// What an entry is, as far as that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    /// The same bytes as an earlier entry.
    Link,
    /// Records that say more of the next entry, or of all.
    Extended,
    Global,
    /// A name of the next entry that is too long for its header.
    LongName,
    LongLink,
    /// Folders, devices and the like, which have no bytes.
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) size: u64,
    /// Seconds since the Unix epoch.
    pub(super) modified: u64,
}

/// Reads a header. `None` if its checksum is wrong or a number is none.
pub(super) fn parse(block: &[u8]) -> Option<Header> {
    let block: &[u8; BLOCK as usize] = block.try_into().ok()?;
    if number(&block[148..156])? != checksum(block) {
        return None;
    }
    let mut name = text(&block[..100]).to_owned();
    let prefix = text(&block[345..500]);
    // GNU's old format has other things in place of the prefix.
    if &block[257..263] == b"ustar\0" && !prefix.is_empty() {
        name = [prefix, b"/", &name].concat();
    }
    let size = number(&block[124..136])?;
    let kind = match block[156] {
        // An old file whose name ends with a slash is a folder.
        b'0' | 0 | b'7' if !name.ends_with(b"/") => Kind::File,
        b'1' => Kind::Link,
        b'x' => Kind::Extended,
        b'g' => Kind::Global,
        b'L' => Kind::LongName,
        b'K' => Kind::LongLink,
        _ => Kind::Other,
    };
    Some(Header {
        kind,
        name,
        link: text(&block[157..257]).to_owned(),
        size,
        modified: number(&block[136..148]).unwrap_or_default(),
    })
}

/// The sum of all bytes, those of the checksum itself taken as spaces.
fn checksum(block: &[u8; BLOCK as usize]) -> u64 {
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    sum(&block[..148]) + 8 * u64::from(b' ') + sum(&block[156..])
}

/// What is in front of the first NUL.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// A number in octal digits, or as GNU has it, in binary if the first bit is set.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        let first = u64::from(field[0] & 0x7f);
        return field[1..].iter().try_fold(first, |number, byte| {
            number.checked_mul(256)?.checked_add(u64::from(*byte))
        });
    }
    let digits = core::str::from_utf8(text(field)).ok()?.trim_matches(' ');
    if digits.is_empty() {
        return Some(0);
    }
    u64::from_str_radix(digits, 8).ok()
}

/// What pax records say of the next entry.
#[derive(Default)]
pub(super) struct Extension {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) modified: Option<u64>,
}

/// Reads records: `LENGTH KEY=VALUE\n`. `None` if they are none.
pub(super) fn parse_records(mut records: &[u8]) -> Option<Extension> {
    let mut extension = Extension::default();
    while !records.is_empty() {
        let space = records.iter().position(|byte| *byte == b' ')?;
        let length: usize = core::str::from_utf8(&records[..space]).ok()?.parse().ok()?;
        let record = records.get(space + 1..length)?.strip_suffix(b"\n")?;
        records = &records[length..];
        let equals = record.iter().position(|byte| *byte == b'=')?;
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        let number = || {
            let text = core::str::from_utf8(value).ok()?;
            text.split('.').next()?.parse().ok()
        };
        match key {
            b"path" => extension.path = Some(value.to_owned()),
            b"linkpath" => extension.link = Some(value.to_owned()),
            b"size" => extension.size = Some(number()?),
            b"mtime" => extension.modified = number(),
            _ => {}
        }
    }
    Some(extension)
}

/// A name without what a key cannot have: `/` in front and at the end, and `.` in between.
/// `None` if it is not in UTF-8.
pub(super) fn normal(name: &[u8]) -> Option<String> {
    let name = core::str::from_utf8(name).ok()?;
    let mut path = String::with_capacity(name.len());
    for segment in name
        .split('/')
        .filter(|segment| !matches!(*segment, "" | "."))
    {
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(segment);
    }
    Some(path)
}
