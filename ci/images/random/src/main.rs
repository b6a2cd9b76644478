//! Prints random numbers: two through a crate that knows nothing of Fata, and then, as often as it
//! is told, one for a key of its own, a while apart.
#![cfg_attr(fata_vm, no_std, no_main)]
#![forbid(unsafe_code)]

use core::time::Duration;
use fata_boot::rand_core::Rng;
use fata_boot::{Args, ArgsError, EntropyError, Env, FromArgs};

fata_boot::main!(app, Options, heap = LinkedList);

struct Options {
    keys: u32,
    pause: u64,
}

impl FromArgs for Options {
    fn from_args(args: &mut Args) -> Result<Self, ArgsError> {
        Ok(Self {
            keys: args.option("keys", "NUMBER", "how many numbers for keys", 1)?,
            pause: args.option("pause", "SECONDS", "how far apart these are", 0)?,
        })
    }
}

async fn app(env: Env, options: Options) -> Result<(), EntropyError> {
    for _ in 0..2 {
        match getrandom::u64() {
            Ok(number) => log::info!("{number:016x}"),
            Err(error) => log::error!("getrandom fails: {error}"),
        }
    }
    for _ in 0..options.keys {
        log::info!("{:016x}", env.rng()?.next_u64());
        env.tasks.sleep(Duration::from_secs(options.pause)).await;
    }
    Ok(())
}
