use crate::{Block, Error};
use alloc::vec::Vec;

/// Bytes that are written at once.
const AT_ONCE: usize = 64 * 1024;

/// Writes zeroes as data, where the disk does not make them itself.
pub(crate) async fn write_out(disk: &impl Block, sector: u64, count: u64) -> Result<(), Error> {
    let size = disk.geometry().sector_size;
    let at_once = (AT_ONCE / size).max(1) as u64;
    let mut zeroes = Vec::new();
    let mut done = 0;
    while done < count {
        let now = at_once.min(count - done);
        zeroes.resize(now as usize * size, 0);
        zeroes = disk.write(sector + done, zeroes).await?;
        done += now;
    }
    Ok(())
}
