//! Pages on the disk: in a store, a tar archive, or a FAT volume.

use fata_block::Block;
use fata_fat::FatKv;
use fata_kv::{EitherKv, Error, LeftOut, TarKv};
use fata_store::{Limits, Store};
use fata_task::Handle;

/// The most files of an archive, with the stretches of those that have holes.
const MOST_FILES: usize = 100_000;

/// How many files that an archive has in vain are told of by name.
const TOLD: usize = 10;

/// One of the three.
pub type Pages<B> = EitherKv<Store<B>, EitherKv<TarKv<B>, FatKv<B>>>;

/// Finds out what the disk has, and what to call it.
///
/// # Errors
/// [`Error::NotAStore`] if that is nothing; [`Error::NoSectors`]; those of what it has.
pub async fn open<B: Block + Clone + 'static>(
    tasks: &Handle,
    disk: B,
    limits: Limits,
) -> Result<(Pages<B>, &'static str), Error> {
    let mut left_out = 0_usize;
    let tell = |name: &str, reason: LeftOut| {
        left_out += 1;
        if left_out <= TOLD {
            log::warn!("{name} is left out: {reason}");
        }
    };
    let store = Store::open(tasks, disk.clone(), limits);
    let archive = TarKv::open(disk.clone(), MOST_FILES, tell);
    // Nothing is changed.
    let volume = FatKv::open(tasks, disk, 0);
    let pages = EitherKv::open(store, EitherKv::open(archive, volume)).await?;
    if left_out > TOLD {
        log::warn!("{} more are left out", left_out - TOLD);
    }
    let kind = match &pages {
        EitherKv::First(_) => "a store",
        EitherKv::Second(EitherKv::First(_)) => "a tar archive",
        EitherKv::Second(EitherKv::Second(_)) => "a FAT volume",
    };
    Ok((pages, kind))
}
