use super::Error;
use super::shared::Shared;
use super::stream::TcpStream;
use alloc::rc::Rc;
use core::future::poll_fn;
use core::net::SocketAddr;
use core::task::{Context, Poll};
use fata_memory::Budget;

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
