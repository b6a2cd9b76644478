use crate::device::Device;
use crate::error::translate;
use crate::volume::Volume;
use alloc::vec;
use core::fmt::Display;
use fata_block::Block;
use fata_kv::Error;

/// Memory for the check: with more it reads the volume fewer times.
const SCRATCH: usize = 64 * 1024;

/// Checks a FAT volume that is not open: boot sector, tables, directories and chains. Each
/// finding is told to `report`; returns how many there are.
///
/// # Errors
/// As [`FatKv::open`](crate::FatKv::open).
pub async fn check<B: Block>(disk: &B, mut report: impl FnMut(&dyn Display)) -> Result<u64, Error> {
    let volume = Volume::new(disk, 0);
    volume.check_disk()?;
    let mut device = Device::new(&volume);
    let mut scratch = vec![0; SCRATCH];
    let checked = hadris_fat::async_::check(&mut device, &mut scratch, |finding| report(&finding));
    Ok(checked.await.map_err(translate)?.findings())
}
