//! SIGINT and SIGTERM end the program in good order; a second one ends it at once.

use super::Idler;
use crate::ExitStatus;
use alloc::sync::Arc;
use core::sync::atomic::AtomicBool;
use fata_task::{Either, Registration, select};
use rustix::pipe::{PipeFlags, pipe_with};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level::pipe};
use std::io;
use std::os::fd::OwnedFd;

/// The exit status of a program that a signal ends is this and the signal's number.
const SIGNALLED: u8 = 128;

/// Waits for a signal to end the program, and tells the exit status: 130 for SIGINT, 143
/// for SIGTERM. Signals are caught as soon as this was called.
pub(crate) fn termination(idler: &Idler) -> impl Future<Output = ExitStatus> + use<> {
    let signals = Signal::catch(idler, SIGINT)
        .and_then(|interrupt| Ok((interrupt, Signal::catch(idler, SIGTERM)?)));
    async move {
        let (interrupt, terminate) = match signals {
            Ok(signals) => signals,
            Err(error) => {
                log::warn!(target: "boot", "cannot catch signals, they end the program at once: {error}");
                return core::future::pending().await;
            }
        };
        let (number, name) = match select(interrupt.wait(), terminate.wait()).await {
            Either::First(()) => (SIGINT, "SIGINT"),
            Either::Second(()) => (SIGTERM, "SIGTERM"),
        };
        log::info!(target: "boot", "{name}: the program ends");
        ExitStatus(SIGNALLED + number as u8)
    }
}

/// A signal that ends the program.
struct Signal(Signals);

impl Signal {
    fn catch(idler: &Idler, number: i32) -> io::Result<Self> {
        // The first one finds the flag unset and sets it, the second one finds it set.
        let caught = Arc::new(AtomicBool::new(false));
        let status = i32::from(SIGNALLED) + number;
        flag::register_conditional_shutdown(number, status, Arc::clone(&caught))?;
        flag::register(number, caught)?;
        Signals::catch(idler, number).map(Self)
    }

    async fn wait(&self) {
        self.0.wait().await;
    }
}

/// The terminal's window has changed its size.
#[cfg(feature = "terminal")]
pub(super) struct WindowChange(Signals);

#[cfg(feature = "terminal")]
impl WindowChange {
    pub(super) fn catch(idler: &Idler) -> io::Result<Self> {
        Signals::catch(idler, signal_hook::consts::SIGWINCH).map(Self)
    }

    /// Waits for a change since the last call.
    pub(super) async fn wait(&self) {
        self.0.wait().await;
    }
}

/// Signals that write to a pipe.
struct Signals {
    registration: Registration,
    pipe: OwnedFd,
}

impl Signals {
    fn catch(idler: &Idler, number: i32) -> io::Result<Self> {
        // No pair of sockets: the sandbox has no calls for them.
        let (receiver, sender) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let registration = Registration::new(&idler.reactor(), &receiver)?;
        pipe::register(number, sender)?;
        Ok(Self {
            registration,
            pipe: receiver,
        })
    }

    /// Waits for signals since the last call. Several count as one.
    async fn wait(&self) {
        while rustix::io::read(&self.pipe, &mut [0; 64]).is_err() {
            self.registration.readable.wait().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform;
    use fata_task::Executor;

    #[test]
    fn a_signal_ends_the_program() {
        let idler = platform::idle();
        let executor = Executor::new(platform::clock());
        let termination = termination(&idler);
        signal_hook::low_level::raise(SIGTERM).unwrap();
        assert_eq!(executor.block_on(&idler, termination), ExitStatus(143));
    }
}
