use crate::Console;
use core::cell::OnceCell;
use fata_task::{Reactor, Registration};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::stdio::{stdin, stdout};
use std::rc::Rc;

/// The standard input and output of a process. Clones share them.
///
/// The descriptors stay in the blocking mode in which the process has inherited them, as
/// they are shared with the shell that started it.
#[derive(Clone)]
pub struct Stdio {
    shared: Rc<Shared>,
}

struct Shared {
    reactor: Rc<dyn Reactor>,
    /// The event loop watches the standard input from the first time that a read has to
    /// wait. `None` if it cannot.
    input: OnceCell<Option<Registration>>,
}

impl Stdio {
    /// The standard input and output, where reads wait on `reactor`.
    pub fn new(reactor: Rc<dyn Reactor>) -> Self {
        Self {
            shared: Rc::new(Shared {
                reactor,
                input: OnceCell::new(),
            }),
        }
    }

    /// Writes all of `bytes` to the standard output. Needs neither the heap nor a lock.
    pub fn write_all(mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match rustix::io::write(stdout(), bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(Errno::INTR) => {}
                // Another process has put the shared terminal into non-blocking mode.
                Err(Errno::AGAIN) => {
                    let _ = poll(&mut [PollFd::new(&stdout(), PollFlags::OUT)], None);
                }
                // Nobody reads any more, so there is nobody to tell.
                Err(_) => return,
            }
        }
    }
}

impl Console for Stdio {
    fn write(&self, bytes: &[u8]) {
        Self::write_all(bytes);
    }

    async fn read(&self, buffer: &mut [u8]) -> usize {
        while !buffer.is_empty() {
            if input_waits() {
                match rustix::io::read(stdin(), &mut *buffer) {
                    Err(Errno::INTR | Errno::AGAIN) => continue,
                    read => return read.unwrap_or(0),
                }
            }
            let registration = self
                .shared
                .input
                .get_or_init(|| Registration::new(&self.shared.reactor, &stdin()).ok());
            match registration {
                Some(input) => input.readable.wait().await,
                None => return 0,
            }
        }
        0
    }
}

/// Whether a read from the standard input would return at once.
fn input_waits() -> bool {
    let stdin = stdin();
    let mut descriptors = [PollFd::new(&stdin, PollFlags::IN)];
    poll(&mut descriptors, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}
