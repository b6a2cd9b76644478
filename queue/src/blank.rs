//! Test for a disk that holds nothing.

use crate::{PIECE, sectors_in};
use alloc::vec;
use fata_block::{Block, Error};

static ZEROES: [u8; 4096] = [0; 4096];

/// Tells whether all of the disk reads as zeroes.
pub(crate) async fn is_blank<B: Block>(disk: &B) -> Result<bool, Error> {
    let geometry = disk.geometry();
    let step = sectors_in(PIECE, geometry.sector_size);
    let mut buffer = vec![];
    let mut sector = 0;
    while sector < geometry.sectors {
        let count = step.min(geometry.sectors - sector);
        buffer.resize(count as usize * geometry.sector_size, 0);
        buffer = disk.read(sector, buffer).await?;
        let is_zero = |part: &[u8]| part == &ZEROES[..part.len()];
        if !buffer.chunks(ZEROES.len()).all(is_zero) {
            return Ok(false);
        }
        sector += count;
    }
    Ok(true)
}
