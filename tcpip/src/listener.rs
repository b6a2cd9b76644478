use super::stream::TcpStream;
use super::{Error, Shared};
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::future::poll_fn;
use core::net::SocketAddr;
use core::task::{Context, Poll, Waker};
use fata_memory::Budget;

/// The connections that belong to a listener.
#[derive(Default)]
pub(super) struct Backlog {
    /// How many connections there are whose peer has not answered the SYN+ACK yet.
    pub(super) half_open: usize,
    /// Connections that can be accepted, oldest first.
    pub(super) waiting: VecDeque<usize>,
    acceptors: Vec<Waker>,
}

impl Backlog {
    /// Lets a connection wait to be accepted.
    pub(super) fn push(&mut self, key: usize) {
        self.waiting.push_back(key);
        self.wake();
    }

    /// Wakes those who wait to accept: all, as any of them may have lost interest.
    pub(super) fn wake(&mut self) {
        for acceptor in self.acceptors.drain(..) {
            acceptor.wake();
        }
    }

    fn register(&mut self, waker: &Waker) {
        if !self.acceptors.iter().any(|other| other.will_wake(waker)) {
            self.acceptors.push(waker.clone());
        }
    }
}

/// A listener of a [`TcpIp`](super::TcpIp) stack.
///
/// Dropping it resets the connections that were not accepted yet.
pub struct TcpListener {
    stack: Rc<Shared>,
    key: usize,
    local: SocketAddr,
}

impl TcpListener {
    pub(super) fn new(stack: &Rc<Shared>, local: SocketAddr) -> Result<Self, Error> {
        let mut engine = stack.engine.borrow_mut();
        let (key, port) = engine.listen(local)?;
        Ok(Self {
            stack: Rc::clone(stack),
            key,
            local: SocketAddr::new(local.ip(), port),
        })
    }

    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<TcpStream> {
        let mut engine = self.stack.engine.borrow_mut();
        if let Some((key, tuple)) = engine.take_waiting(self.key) {
            return Poll::Ready(TcpStream::new(&self.stack, key, tuple));
        }
        engine.listeners[self.key].register(context.waker());
        Poll::Pending
    }
}

impl fata_net::TcpListener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> Result<TcpStream, Error> {
        Ok(poll_fn(|context| self.poll_accept(context)).await)
    }

    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    fn has_room(&self) -> bool {
        self.stack.engine.borrow_mut().has_room()
    }

    fn memory(&self) -> Budget {
        self.stack.engine.borrow().config.memory.clone()
    }
}

impl Drop for TcpListener {
    fn drop(&mut self) {
        let rejected = self
            .stack
            .engine
            .borrow_mut()
            .unlisten(self.key, self.local);
        for key in rejected {
            self.stack.kick(key);
        }
    }
}
