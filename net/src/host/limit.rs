use alloc::rc::Rc;
use core::cell::Cell;
use fata_task::{Handle, Reactor, Waiters};

/// How many operations in a row succeed at once before the task lets others run.
const BURST: u8 = 32;

/// The bounds of a [`HostStack`](super::HostStack).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// TCP connections at a time, 4,096 by default. At the bound [`Stack::connect`](crate::Stack::connect) fails
    /// and [`TcpListener::accept`](crate::TcpListener::accept) waits until one is closed.
    /// The host's limit of open files is a bound as well, with the same effects.
    pub connections: usize,
    /// Connections that a listener's host keeps before they are accepted, 4,096 by
    /// default. At the bound it lets clients wait, and try again.
    pub backlog: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            backlog: 4_096,
        }
    }
}

/// State that the sockets of a stack share.
pub(super) struct Shared {
    pub(super) tasks: Handle,
    pub(super) reactor: Rc<dyn Reactor>,
    pub(super) limits: Limits,
    connections: Cell<usize>,
    /// How many connections were closed so far, modulo 2^64.
    closed: Cell<u64>,
    /// Tasks that wait for a connection to be closed.
    waiting: Waiters,
    burst: Cell<u8>,
}

impl Shared {
    pub(super) fn new(tasks: Handle, reactor: Rc<dyn Reactor>, limits: Limits) -> Self {
        Self {
            tasks,
            reactor,
            limits,
            connections: Cell::new(0),
            closed: Cell::new(0),
            waiting: Waiters::default(),
            burst: Cell::new(0),
        }
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.get()
    }

    /// Tells whether one more connection may exist.
    pub(super) fn has_room(&self) -> bool {
        self.connections.get() < self.limits.connections
    }

    /// Counts one more connection.
    pub(super) fn slot(self: &Rc<Self>) -> Slot {
        self.connections.set(self.connections.get() + 1);
        Slot(Rc::clone(self))
    }

    /// Waits until one more connection may exist, or `is_early` says that it does already.
    pub(super) async fn room(&self, is_early: impl Fn() -> bool) {
        self.waiting.wait(|| self.has_room() || is_early()).await;
    }

    /// Waits until a connection is closed.
    pub(super) async fn closed(&self) {
        let before = self.closed.get();
        self.waiting.wait(|| self.closed.get() != before).await;
    }

    /// Lets other tasks run once in a while. A task whose sockets are always ready would
    /// never do so by itself.
    pub(super) async fn pace(&self) {
        let burst = self.burst.get() + 1;
        self.burst.set(burst % BURST);
        if burst == BURST {
            fata_task::yield_now().await;
        }
    }
}

/// A connection's place among those that may exist.
pub(super) struct Slot(Rc<Shared>);

impl Slot {
    pub(super) fn shared(&self) -> &Shared {
        &self.0
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let shared = &self.0;
        shared.connections.set(shared.connections.get() - 1);
        shared.closed.set(shared.closed.get().wrapping_add(1));
        shared.waiting.wake();
    }
}
