//! How a Fata program starts and ends.
//!
//! A program is an asynchronous function over its [`Env`]. One line makes it a virtual
//! machine's image or a process, whichever it is built for:
//!
//! ```
//! fata_boot::main!(app);
//!
//! async fn app(env: fata_boot::Env) {
//!     env.tasks.sleep(core::time::Duration::from_millis(1)).await;
//!     log::info!("one millisecond has passed");
//! }
//! ```
//!
//! The two platforms, bare metal (`--cfg fata_vm`) and process, offer the same names; the
//! rest of this crate does not know which one it runs on.
#![cfg_attr(fata_vm, no_std)]

extern crate alloc;

mod args;
#[cfg(feature = "disk")]
mod disk;
mod env;
#[cfg(any(feature = "disk", feature = "net"))]
mod memory;
#[cfg(feature = "net")]
mod network;
mod outcome;
mod port;
mod start;
#[cfg(any(feature = "tally", all(test, not(fata_vm))))]
mod tallied;
#[cfg(feature = "terminal")]
mod terminal;

pub mod heap;

// A platform offers these items, under the same names in both folders:
// - `command_line() -> Result<Vec<String>, ArgsError>`, without the program's name;
// - `log_start()`, called when logging works;
// - `clock() -> impl Clock + Copy`;
// - `Idler: Idle + Clone` and `idle() -> Idler`;
// - `busy() -> Duration`, the processor time used;
// - `Settings: FromArgs`, and `confine(&Env, Settings) -> Result<(), impl Display>`, called
//   before the program's own code, which gives up rights that it does not need;
// - `termination(&Idler) -> impl Future<Output = ExitStatus>`: the host wants the end;
// - `exit(ExitStatus) -> !`, `poweroff() -> !`, `reboot() -> !`;
// - `console::{Console: Clone, open(&Idler) -> Console, write(&[u8])}`;
// - `entropy::fill(&mut [u8]) -> Result<(), EntropyError>`;
// - `trace::{mark(), print()}`: notes that a phase of the start has ended; and with the
//   feature `net`: `trace::report(&str)`;
// - `heap::{LinkedList, Talc, used() -> usize, total() -> Option<usize>}`;
// - with the feature `net`: `network::{Stack, Options: FromArgs + Clone}` and
//   `async network::open(&Env, &Options, Config, bool) -> Result<Stack, NetworkError>`, which
//   may lower the bounds of connections that were not given (the last argument), and
//   `network::name_servers(&Options, &Stack) -> Vec<IpAddr>`;
// - with the feature `disk`: `disk::{Disk: Block + Clone, Options: FromArgs + Clone}` and
//   `async disk::open(&Env, &Options, &str) -> Result<Option<Disk>, DiskError>`;
// - with the feature `terminal`: `terminal::{Terminal: Clone,
//   open(&Env) -> Result<Terminal, TerminalError>}`.
#[cfg(not(fata_vm))]
#[path = "platform/unix/mod.rs"]
mod platform;
#[cfg(fata_vm)]
#[path = "platform/vm/mod.rs"]
mod platform;

// These parts of the machine's platform can run, and so be tested, in a process.
#[cfg(all(test, not(fata_vm)))]
#[path = "platform/vm/acpi/mod.rs"]
mod acpi;
#[cfg(all(test, not(fata_vm)))]
#[path = "platform/vm/virtio/announcement.rs"]
mod announcement;
#[cfg(all(test, not(fata_vm)))]
#[path = "platform/vm/boot_protocol/mod.rs"]
mod boot_protocol;
#[cfg(all(test, not(fata_vm)))]
#[path = "platform/vm/virtio/description/mod.rs"]
mod description;
#[cfg(all(test, not(fata_vm)))]
#[path = "platform/vm/entropy/generator.rs"]
mod generator;
#[cfg(all(test, not(fata_vm)))]
#[path = "platform/vm/entropy/health.rs"]
mod health;
#[cfg(all(test, not(fata_vm)))]
#[path = "platform/vm/heap/tests.rs"]
mod machine_heap;
#[cfg(all(test, not(fata_vm)))]
#[path = "platform/vm/mem.rs"]
mod mem;
#[cfg(all(test, not(fata_vm)))]
#[path = "platform/vm/virtio/pages.rs"]
mod pages;
#[cfg(all(test, not(fata_vm)))]
#[path = "platform/vm/virtio/slot.rs"]
mod slot;
#[cfg(all(test, not(fata_vm)))]
#[path = "platform/vm/virtio/space.rs"]
mod space;
#[cfg(all(test, not(fata_vm)))]
#[path = "platform/vm/timer.rs"]
mod timer;
#[cfg(all(test, not(fata_vm)))]
#[path = "platform/vm/vectors.rs"]
mod vectors;

pub use args::{Args, ArgsError, FromArgs, split};
#[cfg(feature = "disk")]
pub use disk::{Disk, DiskError};
pub use env::{EntropyError, Env, Rng};
#[cfg(feature = "net")]
pub use network::{Network, NetworkError, Resolver};
pub use outcome::{ExitStatus, Outcome, Result};
pub use port::Port;
pub use start::{About, run};
#[cfg(feature = "terminal")]
pub use terminal::{Terminal, TerminalError};

/// The random number traits that [`Rng`] implements.
pub use rand_core;

#[cfg(all(fata_vm, feature = "test-interrupts"))]
#[doc(hidden)]
pub use platform::test_interrupts;

/// CONSOLE of this platform: the serial line of a virtual machine, a process's standard
/// input and output.
pub use platform::console::Console;

/// Ends the program at once with a status. Nothing is dropped.
///
/// A virtual machine hands the status to its monitor, where that can take one, and is
/// switched off.
pub fn exit(status: ExitStatus) -> ! {
    platform::exit(status)
}

/// Switches the machine off; ends a process with success.
pub fn poweroff() -> ! {
    platform::poweroff()
}

/// Starts the machine anew, or the process with the same arguments.
pub fn reboot() -> ! {
    platform::reboot()
}
