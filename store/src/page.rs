//! Pages: what the store reads and writes at once, with a checksum.

use twox_hash::XxHash64;

/// Bytes of a page.
pub(crate) const PAGE: usize = 4096;

/// Most pages of a request.
pub(crate) const RUN: usize = 16;

/// Bytes of the header of every page but those of values.
pub(crate) const HEADER: usize = 32;

/// Kind of a page, as its header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Superblock = 1,
    Bitmap = 2,
    Node = 3,
}

/// The checksum of a value's page, whose number is part of it.
pub(crate) fn checksum(identity: u64, page: u64, bytes: &[u8]) -> u64 {
    XxHash64::oneshot(identity ^ page, bytes)
}

/// Fills a page's header in, the checksum last.
pub(crate) fn seal(bytes: &mut [u8], identity: u64, page: u64, generation: u64, kind: Kind) {
    put(bytes, 8, page);
    put(bytes, 16, generation);
    bytes[24] = kind as u8;
    let sum = checksum(identity, page, &bytes[8..]);
    put(bytes, 0, sum);
}

/// The generation of a page, if its header is that of this page and the checksum is right.
pub(crate) fn unseal(bytes: &[u8], identity: u64, page: u64, kind: Kind) -> Option<u64> {
    let is_sound = bytes.len() == PAGE
        && number(bytes, 0) == checksum(identity, page, &bytes[8..])
        && number(bytes, 8) == page
        && bytes[24] == kind as u8;
    is_sound.then(|| number(bytes, 16))
}

/// Eight bytes as a number. They have to be there.
pub(crate) fn number(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(core::array::from_fn(|index| bytes[at + index]))
}

pub(crate) fn put(bytes: &mut [u8], at: usize, number: u64) {
    bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
}

/// Four bytes as a number. They have to be there.
pub(crate) fn quad(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(core::array::from_fn(|index| bytes[at + index]))
}

/// Two bytes as a number. They have to be there.
pub(crate) fn short(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn a_page_is_known_by_its_checksum_number_and_kind() {
        let mut bytes = vec![7; PAGE];
        seal(&mut bytes, 99, 5, 3, Kind::Node);
        assert_eq!(unseal(&bytes, 99, 5, Kind::Node), Some(3));
        assert_eq!(unseal(&bytes, 98, 5, Kind::Node), None);
        assert_eq!(unseal(&bytes, 99, 4, Kind::Node), None);
        assert_eq!(unseal(&bytes, 99, 5, Kind::Bitmap), None);
        assert_eq!(unseal(&bytes[1..], 99, 5, Kind::Node), None);
        for at in [0, 8, 16, 24, 25, 40, PAGE - 1] {
            bytes[at] ^= 4;
            assert_eq!(unseal(&bytes, 99, 5, Kind::Node), None, "{at}");
            bytes[at] ^= 4;
        }
    }
}
