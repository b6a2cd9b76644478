//! The home of a virtual machine: the same names as `unix/mod.rs`.

mod apic;
mod backtrace;
pub(crate) mod console;
pub(crate) mod entropy;
mod entry;
mod exit;
pub(crate) mod heap;
mod idle;
mod interrupts;
mod lock;
mod mem;
mod memory;
#[cfg(feature = "net")]
pub(crate) mod network;
mod paging;
mod panic;
mod pvh;
mod start;
mod traps;
mod virtio;

use crate::{Env, ExitStatus};
use core::convert::Infallible;
use fata_time::MachineClock;

pub(crate) use exit::{exit, poweroff, reboot};
pub(crate) use idle::{Idler, busy, idle};
pub(crate) use start::{command_line, log_start};

pub(crate) const fn clock() -> MachineClock {
    MachineClock
}

/// This home has no boot arguments of its own.
pub(crate) type Settings = ();

/// A virtual machine is confined already.
pub(crate) const fn confine(_: &Env, (): Settings) -> Result<(), Infallible> {
    Ok(())
}

/// Completes when somebody asks the program to end. Nobody asks a virtual machine yet.
pub(crate) async fn termination(_: &Idler) -> ExitStatus {
    core::future::pending().await
}
