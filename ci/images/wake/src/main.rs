//! Raises interrupts at every moment around the idle loop's halt, and counts the wake-ups.
//!
//! Most wake-ups come without any timer set, so that a lost one leaves the processor halted
//! for ever.
#![cfg_attr(fata_vm, no_std, no_main)]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(fata_vm)]
mod machine;
#[cfg(fata_vm)]
use machine::Company;

use alloc::string::String;
use fata_boot::{Args, ArgsError, Env, FromArgs};

fata_boot::main!(app, Options, heap = LinkedList);

struct Options {
    wakes: u64,
}

impl FromArgs for Options {
    fn from_args(args: &mut Args) -> Result<Self, ArgsError> {
        Ok(Self {
            wakes: args.option("wakes", "NUMBER", "how many wake-ups", 1_000_000)?,
        })
    }
}

async fn app(env: Env, options: Options) -> Result<(), String> {
    #[cfg(fata_vm)]
    {
        machine::wake_before_idle().await?;
        log::info!("the first interrupt was seen");
        // Those by the timer alone take longest.
        let (third, sixth) = (options.wakes / 3, options.wakes / 6);
        let left = [options.wakes, options.wakes - third, sixth, 0];
        machine::run(&env, Company::Crowd, left[0], left[1]).await?;
        machine::run(&env, Company::CrowdAndSleepers, left[1], left[2]).await?;
        machine::run(&env, Company::Alone, left[2], left[3]).await?;
        log::info!("{} wake-ups, none lost", options.wakes);
        // From here on the processor has nothing to do.
        core::future::pending().await
    }
    #[cfg(not(fata_vm))]
    {
        let _ = env;
        let wakes = options.wakes;
        Err(alloc::format!(
            "a process has no interrupts for {wakes} wake-ups"
        ))
    }
}
