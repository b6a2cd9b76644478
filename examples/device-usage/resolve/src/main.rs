//! Looks a host name up, and prints its addresses with the seconds for which they are good. An
//! address itself and `localhost` are good for ever.
#![cfg_attr(fata_vm, no_std, no_main)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::string::String;
use core::time::Duration;
use fata_boot::{Args, ArgsError, Env, FromArgs};

fata_boot::main!(app, Options, heap = LinkedList);

struct Options {
    name: String,
}

impl FromArgs for Options {
    fn from_args(args: &mut Args) -> Result<Self, ArgsError> {
        let help = "the host name to look up";
        Ok(Self {
            name: args.option("name", "NAME", help, String::from("localhost"))?,
        })
    }
}

async fn app(env: Env, options: Options) -> fata_boot::Result {
    let network = env.network().await?;
    let resolver = env.resolver(&network)?;
    let found = resolver.lookup(&options.name).await?;
    for address in found.as_slice() {
        match found.ttl() {
            Duration::MAX => log::info!("{} is {address} for ever", options.name),
            ttl => log::info!("{} is {address} for {} s", options.name, ttl.as_secs()),
        }
    }
    Ok(())
}
