//! The sandbox: a program that has started gives up every right that it needs no more.
//!
//! The program's attachments are opened first, as in spt of Solo5. Then Landlock, where
//! the host has it, bars files and more; the threads of disks, which are started after that,
//! inherit it. A seccomp filter for all threads allows the system calls of the event loop, those
//! of the host's sockets if that is the network, those of disks if there are any, and the one that
//! tells a terminal's size if the program has one.
//! Both last until the process ends, and nobody can take them off.

mod landlock;
mod profile;
mod report;
mod rules;

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use seccompiler::apply_filter_all_threads;

pub(crate) use profile::Profile;

static ON: AtomicBool = AtomicBool::new(false);

/// Returns whether this process is in the sandbox.
pub(crate) fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Locks this process in. Threads that `start` starts have the same rights. A system call that the
/// profile does not allow ends the process from now on, with a message and the status
/// [`report::STATUS`].
///
/// # Errors
/// [`SandboxError`]; then the program must not run.
pub(crate) fn lock(profile: Profile, start: impl FnOnce()) -> Result<(), SandboxError> {
    let filter = rules::filter(profile).map_err(SandboxError::Filter)?;
    forbid_dumps().map_err(SandboxError::Dumps)?;
    report::catch().map_err(SandboxError::Signal)?;
    forbid_backtraces();
    let landlocked = landlock::restrict(profile).map_err(SandboxError::Landlock)?;
    start();
    apply_filter_all_threads(&filter).map_err(SandboxError::Filter)?;
    ON.store(true, Ordering::Relaxed);
    let network = match profile.sockets {
        false => "no sockets",
        true => "only TCP and UDP sockets",
    };
    let files = match profile.disks {
        false => "no files",
        true => "no files but its disks",
    };
    log::info!(target: "boot", "in the sandbox: {network}, {files}, {}", landlocked.describe());
    Ok(())
}

/// The memory of the program stays its own: no core file, no debugger of the same user.
fn forbid_dumps() -> Result<(), Errno> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}

/// Backtraces are read from files: none may come with the message of a panic, or of memory
/// that has run out.
fn forbid_backtraces() {
    // SAFETY: the platform has started no threads yet and the program's own code has not begun, so
    // nobody reads the environment at this moment.
    unsafe { std::env::set_var("RUST_BACKTRACE", "0") };
    // The usual message would advise to set that variable.
    std::panic::set_hook(Box::new(|panic| {
        std::eprintln!("{panic}\nnote: for a backtrace, run it outside of the sandbox");
    }));
}

/// Why a program cannot be sandboxed.
#[derive(Debug)]
pub(crate) enum SandboxError {
    Filter(seccompiler::Error),
    Dumps(Errno),
    Signal(std::io::Error),
    Landlock(::landlock::RulesetError),
}

impl fmt::Display for SandboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the host offers no sandbox: ")?;
        match self {
            Self::Filter(error) => write!(f, "seccomp: {error}"),
            Self::Dumps(error) => write!(f, "core dumps cannot be forbidden: {error}"),
            Self::Signal(error) => write!(f, "SIGSYS cannot be caught: {error}"),
            Self::Landlock(error) => write!(f, "Landlock: {error}"),
        }?;
        f.write_str("; leave out --sandbox to run it all the same")
    }
}
