//! Says hello four times, a second apart.
#![cfg_attr(fata_vm, no_std, no_main)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::string::String;
use core::time::Duration;
use fata_boot::{Args, ArgsError, Env, FromArgs};

fata_boot::main!(app, Options, heap = LinkedList);

struct Options {
    hello: String,
}

impl FromArgs for Options {
    fn from_args(args: &mut Args) -> Result<Self, ArgsError> {
        Ok(Self {
            hello: args.option("hello", "TEXT", "what to say", "hello".into())?,
        })
    }
}

async fn app(env: Env, options: Options) {
    for _ in 0..4 {
        log::info!("{}", options.hello);
        env.tasks.sleep(Duration::from_secs(1)).await;
    }
}
