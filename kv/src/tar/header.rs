//! The headers of a tar archive: those of the seventh edition of Unix, of POSIX (ustar), and GNU's.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

/// Bytes of a header, and what all sizes are rounded up to.
pub(super) const BLOCK: u64 = 512;

/// Kind of an entry, as far as that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    /// A file in GNU's old format, whose holes are left out.
    Sparse,
    /// The same bytes as an earlier entry.
    Link,
    /// Records that say more of the next entry, or of all that follow.
    Extended,
    Global,
    /// A name of the next entry that is too long for its header.
    LongName,
    LongLink,
    Folder,
    /// Symbolic links, devices, and pipes.
    Special,
    /// The rest of a file that another volume has the beginning of.
    Continued,
    /// The name of the archive.
    Label,
}

impl Kind {
    /// As in a header. An entry of an unknown kind is a file (POSIX, pax, "ustar Interchange Format").
    fn of(kind: u8, is_gnu: bool) -> Self {
        match kind {
            b'1' => Self::Link,
            b'2'..=b'4' | b'6' => Self::Special,
            // Those of incremental archives have a list of names for a body.
            b'5' | b'D' => Self::Folder,
            b'x' | b'X' => Self::Extended,
            b'g' => Self::Global,
            b'L' => Self::LongName,
            b'K' => Self::LongLink,
            b'M' => Self::Continued,
            b'S' if is_gnu => Self::Sparse,
            b'V' => Self::Label,
            _ => Self::File,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) has_body: bool,
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) size: u64,
    /// Seconds since the Unix epoch.
    pub(super) modified: u64,
}

/// Reads a header. `None` if its checksum is wrong or a number that counts is none.
pub(super) fn parse(block: &[u8]) -> Option<Header> {
    let block: &[u8; BLOCK as usize] = block.try_into().ok()?;
    if !is_checksum(block, number(&block[148..156])?) {
        return None;
    }
    let mut name = text(&block[..100]).to_owned();
    let prefix = text(&block[345..500]);
    // GNU's old format has other things in place of the prefix.
    if &block[257..263] == b"ustar\0" && !prefix.is_empty() {
        name = [prefix, b"/", &name].concat();
    }
    let kind = Kind::of(block[156], &block[257..263] == b"ustar ");
    // Links, devices and folders have none, whatever size some programs write.
    let has_body = !matches!(block[156], b'1'..=b'6');
    Some(Header {
        kind,
        has_body,
        name,
        link: text(&block[157..257]).to_owned(),
        size: if has_body {
            number(&block[124..136])?
        } else {
            0
        },
        modified: number(&block[136..148]).unwrap_or_default(),
    })
}

/// Tells whether `checksum` is the sum of all bytes, those of the checksum itself taken as spaces.
/// Old programs added bytes with a sign.
fn is_checksum(block: &[u8; BLOCK as usize], checksum: u64) -> bool {
    let bytes = || block[..148].iter().chain(&block[156..]);
    let spaces = 8 * i64::from(b' ');
    let unsigned: i64 = bytes().map(|byte| i64::from(*byte)).sum();
    let signed: i64 = bytes().map(|byte| i64::from(byte.cast_signed())).sum();
    [unsigned, signed]
        .map(|sum| u64::try_from(sum + spaces))
        .contains(&Ok(checksum))
}

/// The part of a field in front of the first NUL.
pub(super) fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// A number in octal digits, or as GNU has it, in binary if the first bit is set. `None` if it is
/// negative, or no number. Bytes that follow the digits after a blank are no part of it.
pub(super) fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        let first = u64::from(field[0] & 0x7f);
        return field[1..].iter().try_fold(first, |number, byte| {
            number.checked_mul(256)?.checked_add(u64::from(*byte))
        });
    }
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let digits = text(field).trim_ascii_start();
    let digits = digits.split(is_blank).next().unwrap_or_default();
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = char::from(*digit).to_digit(8)?;
        number.checked_mul(8)?.checked_add(u64::from(digit))
    })
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
