use crate::Console;
use crate::output::{Output, is_ready, takes_some};
use core::cell::OnceCell;
use core::time::Duration;
use fata_task::{Reactor, Registration};
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::stdio::{stdin, stdout};
use std::os::fd::BorrowedFd;
use std::rc::Rc;

/// The standard input and output of a process. Clones share them.
///
/// The descriptors stay in the blocking mode in which the process has inherited them, as
/// they are shared with the shell that started it. All the same no reader that has stopped, and
/// no Ctrl-S, stops the program: what the standard output does not take within a second is lost,
/// and so is all that is written while it still takes nothing. [`write_all`](Self::write_all)
/// waits instead.
#[derive(Clone)]
pub struct Stdio {
    shared: Rc<Shared>,
}

struct Shared {
    reactor: Rc<dyn Reactor>,
    /// The event loop watches the standard input from the first time that a read has to
    /// wait. `None` if it cannot.
    input: OnceCell<Option<Registration>>,
    /// The same of the standard output, for writes that wait.
    output: OnceCell<Option<Registration>>,
}

static OUTPUT: Output = Output::new();

impl Stdio {
    /// The standard input and output, where reads wait on `reactor`.
    pub fn new(reactor: Rc<dyn Reactor>) -> Self {
        OUTPUT.look_at(stdout());
        Self {
            shared: Rc::new(Shared {
                reactor,
                input: OnceCell::new(),
                output: OnceCell::new(),
            }),
        }
    }

    /// Writes all of `bytes` to the standard output. What it does not take within a second is
    /// lost. Needs neither the heap nor a lock.
    pub fn write_or_lose(bytes: &[u8]) {
        OUTPUT.write_or_lose(stdout(), bytes);
    }

    /// Writes all of `bytes` to the standard output, and lets other tasks run while it takes
    /// nothing. Nothing is lost while somebody may still read.
    pub async fn write_all(&self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if takes_some(stdout(), Duration::ZERO) {
                bytes = OUTPUT.write_some(stdout(), bytes);
                continue;
            }
            match self.shared.watch(&self.shared.output, stdout()) {
                Some(output) => output.writable.wait().await,
                None => return Self::write_or_lose(bytes),
            }
        }
    }
}

impl Shared {
    /// Has the event loop watch a descriptor from the first call on.
    fn watch<'a>(
        &self,
        place: &'a OnceCell<Option<Registration>>,
        descriptor: BorrowedFd<'_>,
    ) -> Option<&'a Registration> {
        let registration = place.get_or_init(|| Registration::new(&self.reactor, &descriptor).ok());
        registration.as_ref()
    }
}

impl Console for Stdio {
    fn write(&self, bytes: &[u8]) {
        Self::write_or_lose(bytes);
    }

    async fn read(&self, buffer: &mut [u8]) -> usize {
        while !buffer.is_empty() {
            if input_waits() {
                match rustix::io::read(stdin(), &mut *buffer) {
                    Err(Errno::INTR | Errno::AGAIN) => continue,
                    read => return read.unwrap_or(0),
                }
            }
            match self.shared.watch(&self.shared.input, stdin()) {
                Some(input) => input.readable.wait().await,
                None => return 0,
            }
        }
        0
    }
}

/// Returns whether a read from the standard input would return at once.
fn input_waits() -> bool {
    is_ready(stdin(), PollFlags::IN, Duration::ZERO).unwrap_or(false)
}
