//! The platform of a process: the same names as `vm/mod.rs`.

mod busy_poll;
pub(crate) mod console;
#[cfg(feature = "disk")]
pub(crate) mod disk;
pub(crate) mod entropy;
pub(crate) mod heap;
#[cfg(feature = "net")]
pub(crate) mod network;
mod reactor;
mod sandbox;
mod signal;
#[cfg(feature = "terminal")]
pub(crate) mod terminal;
pub(crate) mod trace;

use crate::{Args, ArgsError, Env, ExitStatus, FromArgs};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use fata_time::HostClock;
use std::os::unix::process::CommandExt;
use std::process::Command;

pub(crate) use reactor::{Idler, idle};
pub(crate) use sandbox::Profile;
pub(crate) use signal::termination;

/// The boot arguments of this platform.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    sandbox: bool,
}

impl FromArgs for Settings {
    fn from_args(args: &mut Args) -> Result<Self, ArgsError> {
        let help = "give up every right that the program does not need, before it begins";
        Ok(Self {
            sandbox: args.flag("sandbox", help)?,
        })
    }
}

/// Opens what the program is attached to and locks the process in, if it is to be.
pub(crate) fn confine(env: &Env, settings: Settings) -> Result<(), sandbox::SandboxError> {
    if !settings.sandbox {
        return Ok(());
    }
    sandbox::lock(env.open_early(), || env.start_early())
}

/// The words of the command line, without the program's name.
pub(crate) fn command_line() -> Result<Vec<String>, ArgsError> {
    trace::mark();
    std::env::args_os()
        .skip(1)
        .map(|word| word.into_string().map_err(|_| ArgsError::NotText))
        .collect()
}

/// The processor time that the process has used.
pub(crate) fn busy() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Logs that the program has started, once logging works.
pub(crate) fn log_start() {
    log::debug!(target: "boot", "started as process {}", std::process::id());
}

pub(crate) const fn clock() -> HostClock {
    HostClock
}

pub(crate) fn exit(status: ExitStatus) -> ! {
    std::process::exit(status.0.into())
}

pub(crate) fn poweroff() -> ! {
    exit(ExitStatus::SUCCESS)
}

/// Replaces the process by a new one of the same program, with the same arguments.
pub(crate) fn reboot() -> ! {
    if sandbox::is_on() {
        log::error!(target: "boot", "the sandbox starts no programs: start this one anew by hand");
        exit(ExitStatus::FAILURE)
    }
    let mut words = std::env::args_os();
    let name = words.next().unwrap_or_default();
    let program = std::env::current_exe().unwrap_or_else(|_| name.clone().into());
    // This returns only if it fails.
    let error = Command::new(program).arg0(name).args(words).exec();
    log::error!(target: "boot", "cannot start the program anew: {error}");
    exit(ExitStatus::FAILURE)
}
