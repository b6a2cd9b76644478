//! The state behind the handles, sockets and the task that drives a stack.

use super::engine::Engine;
use core::cell::RefCell;
use fata_task::Event;

/// A stack, as its handles, sockets and the driving task see it.
pub(crate) struct Shared {
    /// Never borrowed across an `await`.
    pub(crate) engine: RefCell<Engine>,
    /// Tells the driving task that a flow has become ready.
    pub(crate) wake: Event,
}

impl Shared {
    /// Lets the driving task look whether a connection has something to send.
    pub(crate) fn kick(&self, key: usize) {
        if self.engine.borrow_mut().table.make_ready(key) {
            self.wake.signal();
        }
    }

    /// The same for a UDP socket.
    pub(crate) fn kick_flow(&self, key: usize) {
        if self.engine.borrow_mut().flows.make_ready(key) {
            self.wake.signal();
        }
    }
}
