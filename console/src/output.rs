//! Writing to a descriptor that blocks, without being blocked for long.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io::IsTerminal;
use std::os::fd::BorrowedFd;
use std::time::Instant;

/// A descriptor that takes nothing for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(1);
/// A pipe that takes anything takes so many bytes (`PIPE_BUF` in pipe(7)).
const PIECE: usize = 4096;
/// A terminal that takes anything takes so many characters: Linux counts room in 256 bytes.
const TERMINAL_PIECE: usize = 128;

/// The state of a descriptor for output, which may be shared with other processes and so
/// stays in blocking mode.
///
/// It is asked whether it takes anything, and given no more at once than it takes then. Only
/// another process that writes there at the same moment can have taken that room.
pub(crate) struct Output {
    /// Until it takes bytes again, nobody waits for it.
    is_stuck: AtomicBool,
    is_terminal: AtomicBool,
}

impl Output {
    /// A descriptor of which nothing is known: its pieces are those of a terminal, which suit
    /// all.
    pub(crate) const fn new() -> Self {
        Self {
            is_stuck: AtomicBool::new(false),
            is_terminal: AtomicBool::new(true),
        }
    }

    /// Finds out what the descriptor is. A sandbox may not allow that later.
    pub(crate) fn look_at(&self, descriptor: BorrowedFd<'_>) {
        let is_terminal = descriptor.is_terminal();
        self.is_terminal.store(is_terminal, Ordering::Relaxed);
    }

    /// Writes all of `bytes`, and waits as long as some are taken within [`PATIENCE`]. What a
    /// stuck descriptor does not take is lost. Needs neither the heap nor a lock.
    pub(crate) fn write_or_lose(&self, descriptor: BorrowedFd<'_>, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.wait(descriptor) {
            bytes = self.write_some(descriptor, bytes);
        }
    }

    /// Writes the beginning of `bytes` to a descriptor that takes some. Returns the rest, which
    /// is empty if nobody reads any more.
    pub(crate) fn write_some<'a>(&self, descriptor: BorrowedFd<'_>, bytes: &'a [u8]) -> &'a [u8] {
        match rustix::io::write(descriptor, &bytes[..self.piece(bytes)]) {
            Ok(written) => &bytes[written..],
            // A signal; or another process was quicker, and has put the shared descriptor into
            // non-blocking mode.
            Err(Errno::INTR | Errno::AGAIN) => bytes,
            Err(_) => &[],
        }
    }

    /// How many of `bytes`, of which there are some, can be written at once.
    fn piece(&self, bytes: &[u8]) -> usize {
        if !self.is_terminal.load(Ordering::Relaxed) {
            return bytes.len().min(PIECE);
        }
        // These may become several characters, for which a terminal looks for room anew.
        let is_special = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r');
        let bytes = &bytes[..bytes.len().min(TERMINAL_PIECE)];
        bytes
            .iter()
            .position(is_special)
            .unwrap_or(bytes.len())
            .max(1)
    }

    /// Waits until the descriptor takes bytes. Returns whether it does. One that was stuck is
    /// asked once.
    fn wait(&self, descriptor: BorrowedFd<'_>) -> bool {
        let patience = if self.is_stuck.load(Ordering::Relaxed) {
            Duration::ZERO
        } else {
            PATIENCE
        };
        let takes = takes_some(descriptor, patience);
        self.is_stuck.store(!takes, Ordering::Relaxed);
        takes
    }
}

/// Returns whether a descriptor takes bytes now or within `patience`. Where the host cannot tell,
/// the write itself has to.
pub(crate) fn takes_some(descriptor: BorrowedFd<'_>, patience: Duration) -> bool {
    is_ready(descriptor, PollFlags::OUT, patience).unwrap_or(true)
}

/// Returns whether a descriptor is ready now or within `patience`, whatever signals come meanwhile.
pub(crate) fn is_ready(
    descriptor: BorrowedFd<'_>,
    flags: PollFlags,
    patience: Duration,
) -> rustix::io::Result<bool> {
    let deadline = Instant::now() + patience;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: left.as_secs() as i64,
            tv_nsec: left.subsec_nanos().into(),
        };
        match poll(&mut [PollFd::new(&descriptor, flags)], Some(&timeout)) {
            Err(Errno::INTR) => {}
            ready => return ready.map(|ready| ready > 0),
        }
    }
}

#[cfg(test)]
mod tests;
