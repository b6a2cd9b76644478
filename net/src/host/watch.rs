//! Trying before waiting.

use alloc::rc::Rc;
use core::cell::OnceCell;
use fata_task::{Event, Reactor, Readiness, Registration};
use std::io;
use std::os::fd::AsFd;

/// The event loop's view of a socket. It begins with the first wait: a connection whose bytes are
/// there when it is accepted, and which is closed after the answer, costs the host no call for it.
#[derive(Default)]
pub(super) struct Watch {
    registration: OnceCell<Registration>,
}

impl Watch {
    /// The event loop's reports of `socket` from now on, its present state first.
    ///
    /// # Errors
    /// Those of [`Reactor::register`].
    pub(super) fn begin(
        &self,
        reactor: &Rc<dyn Reactor>,
        socket: &impl AsFd,
    ) -> io::Result<&Readiness> {
        if let Some(registration) = self.registration.get() {
            return Ok(registration);
        }
        let registration = Registration::new(reactor, socket)?;
        Ok(self.registration.get_or_init(|| registration))
    }

    /// Tells whether the peer's end was reported.
    pub(super) fn has_ended(&self) -> bool {
        let registration = self.registration.get();
        registration.is_some_and(|registration| registration.has_ended())
    }

    /// Tries an operation on `socket` until it does not block any more, and waits for `event` in
    /// between, so that a socket that is ready costs one call of the host.
    ///
    /// # Errors
    /// Those of the operation and of [`begin`](Self::begin).
    pub(super) async fn when_ready<T>(
        &self,
        reactor: &Rc<dyn Reactor>,
        socket: &impl AsFd,
        event: fn(&Readiness) -> &Event,
        mut attempt: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            // The attempt answers all that was signalled before it.
            if let Some(registration) = self.registration.get() {
                event(registration).clear();
            }
            match attempt() {
                result if would_block(&result) => {
                    event(self.begin(reactor, socket)?).wait().await;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

/// Tells whether an operation has to wait.
pub(super) fn would_block<T>(result: &io::Result<T>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// The event that tells of something to read.
pub(super) fn readable(readiness: &Readiness) -> &Event {
    &readiness.readable
}

/// The event that tells of room to write.
pub(super) fn writable(readiness: &Readiness) -> &Event {
    &readiness.writable
}
