//! Sectors of tables, and the numbers in them.

use crate::{Block, Error};
use alloc::vec;
use alloc::vec::Vec;

/// Reads one sector.
pub(super) async fn read_sector(disk: &impl Block, sector: u64) -> Result<Vec<u8>, Error> {
    disk.read(sector, vec![0; disk.geometry().sector_size])
        .await
}

/// A little-endian number.
pub(super) fn number<const N: usize>(bytes: &[u8], offset: usize) -> u64 {
    let mut number = [0; 8];
    number[..N].copy_from_slice(&bytes[offset..offset + N]);
    u64::from_le_bytes(number)
}
