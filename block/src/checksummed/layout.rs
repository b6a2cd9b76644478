//! Where what is on the disk beneath: a header, the checksums, the data, the header again.

use super::sums::sum;
use crate::Geometry;
use alloc::vec;
use alloc::vec::Vec;

const MAGIC: &[u8] = b"FataSums";
const VERSION: u64 = 1;
/// Bytes of the header before its checksum.
const HEADER: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    sector_size: usize,
    /// Sectors of the disk beneath, as far as they are used.
    total: u64,
    /// Sectors with checksums.
    groups: u64,
}

/// Why a header leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadHeader {
    Nothing,
    Unsupported,
}

impl Layout {
    /// The layout of so many sectors; `None` if that is too few for any data.
    pub(super) fn new(sector_size: usize, total: u64) -> Option<Self> {
        let rest = total.checked_sub(2)?;
        let per_group = Self::sums_of(sector_size) as u64;
        // A sector of checksums for as many of data: what is left over has fewer.
        let groups = rest.div_ceil(per_group + 1);
        (rest > groups).then_some(Self {
            sector_size,
            total,
            groups,
        })
    }

    /// How many data sectors one of checksums serves, which has 8 bytes for each and 8 of its own.
    pub(super) fn sums_of(sector_size: usize) -> usize {
        sector_size / 8 - 1
    }

    pub(super) fn sector_size(&self) -> usize {
        self.sector_size
    }

    pub(super) fn per_group(&self) -> usize {
        Self::sums_of(self.sector_size)
    }

    pub(super) fn groups(&self) -> u64 {
        self.groups
    }

    /// How many sectors of data there are.
    pub(super) fn data(&self) -> u64 {
        self.total - 2 - self.groups
    }

    /// The group of a sector of data, and its number in that.
    pub(super) fn group(&self, sector: u64) -> (u64, usize) {
        let per_group = self.per_group() as u64;
        (sector / per_group, (sector % per_group) as usize)
    }

    /// Where the checksums of a group are.
    pub(super) fn sums_place(&self, group: u64) -> u64 {
        1 + group
    }

    /// Where a sector of data is.
    pub(super) fn data_place(&self, sector: u64) -> u64 {
        1 + self.groups + sector
    }

    /// The two places of the header.
    pub(super) fn header_places(&self) -> [u64; 2] {
        [0, self.total - 1]
    }

    pub(super) fn header(&self, place: u64) -> Vec<u8> {
        let mut bytes = vec![0; self.sector_size];
        bytes[..8].copy_from_slice(MAGIC);
        for (index, number) in [VERSION, self.sector_size as u64, self.total]
            .into_iter()
            .enumerate()
        {
            bytes[8 + 8 * index..][..8].copy_from_slice(&number.to_le_bytes());
        }
        let sum = sum(place, &bytes[..HEADER]);
        bytes[HEADER..HEADER + 4].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// The layout that a header at some place tells of, on a disk of that geometry.
    pub(super) fn of_header(
        bytes: &[u8],
        place: u64,
        geometry: &Geometry,
    ) -> Result<Self, BadHeader> {
        let sum = sum(place, &bytes[..HEADER]);
        if &bytes[..8] != MAGIC || bytes[HEADER..HEADER + 4] != sum.to_le_bytes() {
            return Err(BadHeader::Nothing);
        }
        let number = |index: usize| {
            let mut number = [0; 8];
            number.copy_from_slice(&bytes[8 + 8 * index..][..8]);
            u64::from_le_bytes(number)
        };
        let fits = number(0) == VERSION
            && number(1) == geometry.sector_size as u64
            && number(2) <= geometry.sectors;
        fits.then(|| Self::new(geometry.sector_size, number(2)))
            .flatten()
            .ok_or(BadHeader::Unsupported)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sector_of_data_has_its_place_and_its_sums() {
        for size in [512, 4096] {
            let per_group = Layout::sums_of(size) as u64;
            for total in (4..4 * per_group).chain([1 << 40, u64::MAX]) {
                let layout = Layout::new(size, total).expect("it is large enough");
                let last = layout.data() - 1;
                assert!(layout.group(last).0 < layout.groups());
                assert_eq!(
                    layout.data_place(0),
                    layout.sums_place(layout.groups() - 1) + 1
                );
                assert_eq!(layout.data_place(last) + 1, layout.header_places()[1]);
            }
        }
        assert_eq!(Layout::new(512, 3), None);
        assert_eq!(Layout::new(512, 0), None);
    }

    #[test]
    fn a_header_is_for_its_place_and_its_disk() {
        let layout = Layout::new(512, 100).expect("it is large enough");
        let mut geometry = Geometry {
            sector_size: 512,
            sectors: 100,
            read_only: false,
        };
        let bytes = layout.header(99);
        assert_eq!(Layout::of_header(&bytes, 99, &geometry), Ok(layout));
        let elsewhere = Layout::of_header(&bytes, 0, &geometry);
        assert_eq!(elsewhere, Err(BadHeader::Nothing));
        geometry.sectors = 99;
        let smaller = Layout::of_header(&bytes, 99, &geometry);
        assert_eq!(smaller, Err(BadHeader::Unsupported));
    }
}
