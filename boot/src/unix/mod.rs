//! The home of a process: the same names as `vm/mod.rs`.

pub(crate) mod console;
pub(crate) mod entropy;
pub(crate) mod heap;
#[cfg(feature = "net")]
pub(crate) mod network;
mod reactor;
mod signal;

use crate::{ArgsError, ExitStatus};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use fata_time::HostClock;
use std::os::unix::process::CommandExt;
use std::process::Command;

pub(crate) use reactor::{Idler, idle};
pub(crate) use signal::termination;

/// The words of the command line, without the program's name.
pub(crate) fn command_line() -> Result<Vec<String>, ArgsError> {
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
    let mut words = std::env::args_os();
    let name = words.next().unwrap_or_default();
    let program = std::env::current_exe().unwrap_or_else(|_| name.clone().into());
    // This returns only if it fails.
    let error = Command::new(program).arg0(name).args(words).exec();
    log::error!(target: "boot", "cannot start the program anew: {error}");
    exit(ExitStatus::FAILURE)
}
