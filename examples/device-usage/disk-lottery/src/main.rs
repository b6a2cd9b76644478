//! A lottery: draws a number, and wins if it is larger than the best so far, which a sector of the
//! disk keeps.
#![cfg_attr(fata_vm, no_std, no_main)]
#![forbid(unsafe_code)]

extern crate alloc;

mod record;

use alloc::vec;
use fata_block::Block;
use fata_boot::{Args, ArgsError, Env, ExitStatus, FromArgs};
use rand_core::Rng;

fata_boot::main!(app, Options, heap = LinkedList);

/// The disk has no such slot.
const NO_SLOT: ExitStatus = ExitStatus(5);
/// The slot has no valid record.
const NO_RECORD: ExitStatus = ExitStatus(6);

struct Options {
    slot: u64,
    reset: bool,
    reset_all: bool,
}

impl FromArgs for Options {
    fn from_args(args: &mut Args) -> Result<Self, ArgsError> {
        Ok(Self {
            slot: args.option("slot", "NUMBER", "the sector to play with", 0)?,
            reset: args.flag("reset", "begin anew in that sector")?,
            reset_all: args.flag("reset-all", "begin anew in all sectors")?,
        })
    }
}

async fn app(env: Env, options: Options) -> fata_boot::Result<ExitStatus> {
    let disk = env.disk("lottery").await?;
    let geometry = disk.geometry();
    if options.slot >= geometry.sectors {
        log::error!(
            "there is no slot {}: the disk has {} sectors",
            options.slot,
            geometry.sectors
        );
        return Ok(NO_SLOT);
    }
    let mut sector = vec![0; geometry.sector_size];
    if options.reset || options.reset_all {
        record::encode(0, &mut sector);
        let slots = if options.reset_all {
            0..geometry.sectors
        } else {
            options.slot..options.slot + 1
        };
        for slot in slots {
            sector = disk.write(slot, sector).await?;
        }
        disk.flush().await?;
    }
    sector = disk.read(options.slot, sector).await?;
    let Some(best) = record::decode(&sector) else {
        log::error!(
            "slot {} has no valid record; begin with --reset",
            options.slot
        );
        return Ok(NO_RECORD);
    };
    let drawn = env.rng()?.next_u32();
    if drawn > best {
        record::encode(drawn, &mut sector);
        disk.write(options.slot, sector).await?;
        disk.flush().await?;
        log::info!("{drawn} wins: the best of slot {} was {best}", options.slot);
    } else {
        log::info!("{drawn} loses: the best of slot {} is {best}", options.slot);
    }
    Ok(ExitStatus::SUCCESS)
}
