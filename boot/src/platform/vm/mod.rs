//! The platform of a virtual machine: the same names as `unix/mod.rs`.

mod acpi;
mod apic;
mod backtrace;
mod boot_protocol;
pub(crate) mod console;
#[cfg(feature = "disk")]
pub(crate) mod disk;
pub(crate) mod entropy;
mod entry;
mod exit;
mod extended;
mod firmware;
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
mod stacks;
mod start;
#[cfg(feature = "terminal")]
pub(crate) mod terminal;
#[cfg(feature = "test-interrupts")]
pub mod test_interrupts;
mod timer;
pub(crate) mod trace;
mod traps;
mod vectors;
mod virtio;

use crate::{Args, ArgsError, Env, ExitStatus, FromArgs};
use core::convert::Infallible;
use fata_time::MachineClock;

pub(crate) use exit::{exit, poweroff, reboot};
pub(crate) use idle::{Idler, busy, idle};
pub(crate) use start::{command_line, log_start};

pub(crate) const fn clock() -> MachineClock {
    MachineClock
}

/// The boot arguments of this platform: none.
#[derive(Clone, Copy)]
pub(crate) struct Settings;

impl FromArgs for Settings {
    fn from_args(_: &mut Args) -> Result<Self, ArgsError> {
        Ok(Self)
    }
}

/// A virtual machine is confined already.
pub(crate) const fn confine(_: &Env, _: Settings) -> Result<(), Infallible> {
    Ok(())
}

/// Completes when somebody asks the program to end. Nobody asks a virtual machine yet.
pub(crate) fn termination(_: &Idler) -> impl Future<Output = ExitStatus> + use<> {
    core::future::pending()
}
