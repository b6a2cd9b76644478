//! The device's offers, and how large a request may be (virtio 1.2, sections 5.2.3 and
//! 5.2.4).

use super::request::UNIT;
use crate::Geometry;
use fata_virtio::{Device, SetUpError, feature};

const SIZE_MAX: u64 = 1 << 1;
const READ_ONLY: u64 = 1 << 5;
const BLOCK_SIZE: u64 = 1 << 6;
const FLUSH: u64 = 1 << 9;
const DISCARD: u64 = 1 << 13;
const WRITE_ZEROES: u64 = 1 << 14;

/// Places in the configuration.
const CAPACITY: usize = 0;
const MOST_IN_SEGMENT: usize = 8;
const BLOCK: usize = 20;
const MOST_DISCARDED: usize = 36;
const MOST_ZEROED: usize = 48;

/// The features that the driver knows.
pub(super) const WANTED: u64 = SIZE_MAX
    | READ_ONLY
    | BLOCK_SIZE
    | FLUSH
    | DISCARD
    | WRITE_ZEROES
    | feature::EVENT_INDEX
    | feature::INDIRECT_DESCRIPTORS;

/// The largest piece of a request, in bytes, where the device names none.
const LARGEST_PIECE: usize = 1 << 30;

/// The largest sector that makes sense; with what claims more, the unit is used.
const LARGEST_SECTOR: u32 = 1 << 20;

/// The device's properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) geometry: Geometry,
    /// Bytes of data in one request.
    pub(super) piece: usize,
    /// The device keeps what was written in a cache until it is told to flush.
    pub(super) has_cache: bool,
    /// Sectors that one request discards or zeroes; 0 if the device does not do that.
    pub(super) discarded: u64,
    pub(super) zeroed: u64,
}

impl Limits {
    pub(super) fn read(device: &Device) -> Result<Self, SetUpError> {
        let has = |feature| device.features() & feature != 0;
        let word = |feature, offset| -> Result<Option<u32>, SetUpError> {
            let word = has(feature).then(|| device.configuration(offset));
            Ok(word.transpose()?.map(u32::from_le_bytes))
        };
        let is_size =
            |size: &u32| (UNIT as u32..=LARGEST_SECTOR).contains(size) && size.is_power_of_two();
        let sector_size = word(BLOCK_SIZE, BLOCK)?.filter(is_size);
        let sector_size = sector_size.map_or(UNIT, |size| size as usize);
        let units = (sector_size / UNIT) as u64;
        let capacity = u64::from_le_bytes(device.configuration(CAPACITY)?);
        let in_segment = word(SIZE_MAX, MOST_IN_SEGMENT)?;
        let piece = in_segment.map_or(LARGEST_PIECE, |most| (most as usize).min(LARGEST_PIECE));
        // A device that takes less than a sector at once cannot be used at all.
        let piece = (piece & !(sector_size - 1)).max(sector_size);
        let sectors = |most: Option<u32>| u64::from(most.unwrap_or_default()) / units;
        Ok(Self {
            geometry: Geometry {
                sector_size,
                sectors: capacity / units,
                read_only: has(READ_ONLY),
            },
            piece,
            has_cache: has(FLUSH),
            discarded: sectors(word(DISCARD, MOST_DISCARDED)?),
            zeroed: sectors(word(WRITE_ZEROES, MOST_ZEROED)?),
        })
    }

    /// Where a sector is, in the device's unit.
    pub(super) fn place(&self, sector: u64) -> u64 {
        sector * (self.geometry.sector_size / UNIT) as u64
    }
}
