//! Signals that end the program, but not before it has put in order what it was at.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

use super::error::Error;

/// How long a signal may go unnoticed while nothing arrives.
const PATIENCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// The signal that came, or 0.
static SIGNAL: AtomicUsize = AtomicUsize::new(0);

/// True if a signal ends the program at once.
static ENDS_AT_ONCE: AtomicBool = AtomicBool::new(true);

/// The listener for signals. It starts only once something would be left behind.
static LISTENING: LazyLock<io::Result<()>> = LazyLock::new(|| {
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_default(signal, &ENDS_AT_ONCE)?;
        flag::register_usize(signal, &SIGNAL, signal as usize)?;
    }
    Ok(())
});

/// Does something that leaves things in order when it fails. A signal that comes meanwhile makes
/// it fail, if it asks [`check`], and ends the program then.
pub async fn in_order<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let listening = LISTENING.as_ref();
    listening.map_err(|error| Error::Signals(error.kind().into()))?;
    ENDS_AT_ONCE.store(false, Ordering::SeqCst);
    let done = work.await;
    ENDS_AT_ONCE.store(true, Ordering::SeqCst);
    if let Ok(signal @ 1..) = i32::try_from(SIGNAL.load(Ordering::SeqCst)) {
        let ended = low_level::emulate_default_handler(signal);
        ended.map_err(Error::Signals)?;
    }
    done
}

/// Fails if a signal is to end the program.
pub fn check() -> Result<(), Error> {
    match SIGNAL.load(Ordering::SeqCst) {
        0 => Ok(()),
        _ => Err(Error::Interrupted),
    }
}

/// An input, to wait for which a signal ends.
pub struct Input<R>(pub R);

impl<R: Read + AsFd> Read for Input<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            check().map_err(io::Error::other)?;
            let mut ready = [PollFd::new(&self.0, PollFlags::IN)];
            match poll(&mut ready, Some(&PATIENCE)) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return self.0.read(buffer),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
