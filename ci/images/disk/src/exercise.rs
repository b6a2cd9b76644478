use alloc::vec;
use alloc::vec::Vec;
use fata_block::{Block, Error};
use fata_task::join_array;

/// How many requests are under way at once.
const DEPTH: usize = 64;
/// Sectors of a request.
const LENGTH: usize = 8;

/// Writes every sector, reads it again, and clears it, with many requests under way at once. The
/// disk must hold a whole number of batches.
pub async fn exercise(disk: &impl Block) -> Result<(), Error> {
    let geometry = disk.geometry();
    let length = LENGTH * geometry.sector_size;
    let batch = (DEPTH * LENGTH) as u64;
    for start in (0..geometry.sectors).step_by(batch as usize) {
        let place = |index: usize| start + (index * LENGTH) as u64;
        let writes = |index| disk.write(place(index), pattern(place(index), length));
        all(join_array(core::array::from_fn::<_, DEPTH, _>(writes)).await)?;
        disk.flush().await?;
        let reads = |index| disk.read(place(index), vec![0; length]);
        let read = all(join_array(core::array::from_fn::<_, DEPTH, _>(reads)).await)?;
        for (index, bytes) in read.into_iter().enumerate() {
            check(bytes == pattern(place(index), length))?;
        }
        disk.discard(start, batch / 2).await?;
        disk.write_zeroes(start + 1, batch - 1).await?;
        disk.write(start, vec![0; geometry.sector_size]).await?;
        let bytes = disk.read(start, vec![1; DEPTH * length]).await?;
        check(bytes.iter().all(|byte| *byte == 0))?;
    }
    disk.flush().await
}

fn all(results: [Result<Vec<u8>, Error>; DEPTH]) -> Result<Vec<Vec<u8>>, Error> {
    results.into_iter().collect()
}

fn check(is_right: bool) -> Result<(), Error> {
    is_right.then_some(()).ok_or(Error::Corrupt)
}

/// Bytes that are others at each place.
fn pattern(place: u64, length: usize) -> Vec<u8> {
    (0..length)
        .map(|index| (place as usize * 31 + index / 7) as u8)
        .collect()
}
