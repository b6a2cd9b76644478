//! Tells of the disks that `--open` names what they are like and how their first sectors begin;
//! with `--write` writes a text to these before, with `--exercise` uses all of the disk.
#![cfg_attr(fata_vm, no_std, no_main)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::string::String;
use alloc::vec;
use fata_block::Block;
use fata_boot::{Args, ArgsError, Env, FromArgs};

mod exercise;

use exercise::exercise;

fata_boot::main!(app, Options, heap = LinkedList);

struct Options {
    open: String,
    write: Option<String>,
    exercise: bool,
}

impl FromArgs for Options {
    fn from_args(args: &mut Args) -> Result<Self, ArgsError> {
        let open = args.option("open", "NAME,...", "the disks to open", "data".into())?;
        let write = args.optional("write", "TEXT", "what to write to each")?;
        let exercise = args.flag("exercise", "write, read and clear every sector first")?;
        Ok(Self {
            open,
            write,
            exercise,
        })
    }
}

async fn app(env: Env, options: Options) -> fata_boot::Result {
    for name in options.open.split(',') {
        let disk = env.disk(name).await?;
        let geometry = disk.geometry();
        let length = geometry.sector_size;
        if options.exercise {
            exercise(&disk).await?;
            log::info!("{name}: every sector was right");
        }
        if let Some(text) = &options.write {
            let mut sector = vec![0; length];
            sector[..text.len()].copy_from_slice(text.as_bytes());
            disk.write(0, sector).await?;
            disk.flush().await?;
        }
        let sector = disk.read(0, vec![0; length]).await?;
        let text: &[u8] = sector.split(|byte| *byte == 0).next().unwrap_or_default();
        log::info!(
            "{name}: {} sectors of {length} bytes, {}, begins with \"{}\"",
            geometry.sectors,
            if geometry.read_only {
                "read-only"
            } else {
                "writable"
            },
            String::from_utf8_lossy(text)
        );
    }
    Ok(())
}
