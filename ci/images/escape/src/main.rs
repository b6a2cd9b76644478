//! Tries to get out of the sandbox in the way that `--attempt` says, for the system tests.
#![cfg_attr(fata_vm, no_std, no_main)]

use fata_boot::{Args, ArgsError, Env, ExitStatus, FromArgs};

#[cfg(not(fata_vm))]
mod attempts;

fata_boot::main!(app, Options, heap = LinkedList);

struct Options {
    attempt: Option<Attempt>,
    stay: bool,
}

#[cfg(not(fata_vm))]
use attempts::Attempt;

/// A virtual machine has no system calls.
#[cfg(fata_vm)]
type Attempt = core::convert::Infallible;

impl FromArgs for Options {
    #[cfg(not(fata_vm))]
    fn from_args(args: &mut Args) -> Result<Self, ArgsError> {
        let attempt = args.optional("attempt", "NAME", "the system call to make")?;
        let stay = args.flag("stay", "run on without an attempt")?;
        Ok(Self { attempt, stay })
    }

    #[cfg(fata_vm)]
    fn from_args(_: &mut Args) -> Result<Self, ArgsError> {
        Ok(Self {
            attempt: None,
            stay: false,
        })
    }
}

/// Succeeds without an attempt, and fails after one that the host has taken.
async fn app(_: Env, options: Options) -> ExitStatus {
    let Some(attempt) = options.attempt else {
        log::info!("no attempt to escape");
        if options.stay {
            core::future::pending::<()>().await;
        }
        return ExitStatus::SUCCESS;
    };
    #[cfg(not(fata_vm))]
    log::error!("the host has taken {attempt}: {}", attempt.make());
    #[cfg(fata_vm)]
    match attempt {}
    #[cfg(not(fata_vm))]
    ExitStatus::FAILURE
}
