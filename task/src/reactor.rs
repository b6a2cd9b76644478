use crate::Event;
use alloc::rc::Rc;
use core::cell::Cell;
use core::fmt;
use core::ops::Deref;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// The readiness of a descriptor, as a process's event loop has found it.
///
/// It reports changes only (it is edge-triggered): try the operation first, and wait when
/// the host answers that it would block.
#[derive(Debug, Default)]
pub struct Readiness {
    /// Bytes, a connection, the peer's end or an error have arrived.
    pub readable: Event,
    /// There is room to write again, a connection was made, or an error has arrived.
    pub writable: Event,
    ended: Cell<bool>,
}

impl Readiness {
    /// True once the peer has ended its side, or the descriptor failed: no further change
    /// may be reported then, so a reader must try rather than wait.
    pub fn has_ended(&self) -> bool {
        self.ended.get()
    }

    /// Notes that nothing will come any more. The event loop does so, before it signals.
    pub fn end(&self) {
        self.ended.set(true);
    }
}

/// A process's event loop, as far as those who own descriptors see it.
pub trait Reactor {
    /// Watches a descriptor. Returns the key to end that with.
    ///
    /// # Errors
    /// Those of the host, for example for a descriptor of a file that is always ready.
    fn register(&self, descriptor: BorrowedFd<'_>) -> io::Result<(usize, Rc<Readiness>)>;

    /// Forgets a descriptor, which is about to be closed.
    fn deregister(&self, key: usize);
}

/// A descriptor that a [`Reactor`] watches. It derefs to its [`Readiness`].
pub struct Registration {
    reactor: Rc<dyn Reactor>,
    key: usize,
    readiness: Rc<Readiness>,
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").finish_non_exhaustive()
    }
}

impl Registration {
    /// Watches `descriptor`. Drop the registration together with it.
    ///
    /// # Errors
    /// Those of [`Reactor::register`].
    pub fn new(reactor: &Rc<dyn Reactor>, descriptor: &impl AsFd) -> io::Result<Self> {
        let (key, readiness) = reactor.register(descriptor.as_fd())?;
        Ok(Self {
            reactor: Rc::clone(reactor),
            key,
            readiness,
        })
    }
}

impl Deref for Registration {
    type Target = Readiness;

    fn deref(&self) -> &Readiness {
        &self.readiness
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.reactor.deregister(self.key);
    }
}
