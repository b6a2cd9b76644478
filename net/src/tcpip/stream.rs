use super::frame::Tuple;
use super::table::Flow;
use super::{Error, Shared};
use crate::tcp::Pool;
use crate::traits;
use alloc::rc::Rc;
use core::future::poll_fn;
use core::net::SocketAddr;
use core::task::{Context, Poll, Waker};
use embedded_io_async::{ErrorType, Read, Write};

/// A connection of a [`TcpIp`](super::TcpIp) stack.
///
/// What is written is copied to the transmit buffer and is on its way from there, so
/// flushing does not wait for the peer. A peer that does not read lets writing wait until
/// it does; bound that by a time-out where it matters.
pub struct TcpStream(End);

/// The half of a [`TcpStream`] that reads.
pub struct ReadHalf(End);

/// The half of a [`TcpStream`] that writes.
pub struct WriteHalf(End);

/// A counted reference to a connection. The last one closes it.
struct End {
    stack: Rc<Shared>,
    key: usize,
    tuple: Tuple,
}

impl TcpStream {
    /// A stream for a connection that counts one handle.
    pub(super) fn new(stack: &Rc<Shared>, key: usize, tuple: Tuple) -> Self {
        Self(End {
            stack: Rc::clone(stack),
            key,
            tuple,
        })
    }

    /// Opens a connection.
    pub(super) async fn connect(stack: &Rc<Shared>, remote: SocketAddr) -> Result<Self, Error> {
        let (key, tuple) = stack.engine.borrow_mut().open(remote)?;
        // From here on, dropping the future drops the connection.
        let stream = Self::new(stack, key, tuple);
        stack.kick(key);
        poll_fn(|context| stream.0.poll_opened(context)).await?;
        Ok(stream)
    }
}

impl End {
    /// Runs `operation` on the connection.
    fn with<R>(&self, operation: impl FnOnce(&mut Flow, &mut Pool) -> R) -> Result<R, Error> {
        let mut engine = self.stack.engine.borrow_mut();
        let engine = &mut *engine;
        // A connection lives as long as something refers to it.
        let flow = engine.table.flow(self.key).ok_or(Error::Other)?;
        Ok(operation(flow, &mut engine.pool))
    }

    fn poll_opened(&self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let opened = self.stack.engine.borrow_mut().opened(self.key);
        if let Some(result) = opened {
            return Poll::Ready(result);
        }
        self.with(|flow, _| flow.connection.writer = Some(context.waker().clone()))?;
        Poll::Pending
    }

    fn poll_read(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<usize, Error>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let (result, tell) = self.with(|flow, pool| {
            let connection = &mut flow.connection;
            if connection.readable() > 0 {
                let (count, tell) = connection.read(buffer, pool);
                return (Poll::Ready(Ok(count)), tell);
            }
            let result = if connection.has_peer_finished() {
                Poll::Ready(Ok(0))
            } else if connection.is_open() {
                register(&mut connection.reader, context);
                Poll::Pending
            } else {
                Poll::Ready(Err(flow.failure()))
            };
            (result, false)
        })?;
        if tell {
            self.stack.kick(self.key);
        }
        result
    }

    fn poll_write(&self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, Error>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let mut lacks_memory = false;
        let result = self.with(|flow, pool| {
            let connection = &mut flow.connection;
            if !connection.is_writable() {
                return Poll::Ready(Err(flow.failure()));
            }
            match connection.write(bytes, pool) {
                0 => {
                    register(&mut connection.writer, context);
                    lacks_memory = !connection.has_queued();
                    Poll::Pending
                }
                count => Poll::Ready(Ok(count)),
            }
        })?;
        if lacks_memory {
            self.stack.engine.borrow_mut().wait_for_memory(self.key);
            self.stack.wake.signal();
        }
        if result.is_ready() {
            self.stack.kick(self.key);
        }
        result
    }

    /// Closes this side; what was written before is still sent.
    fn close(&self) -> Result<(), Error> {
        self.with(|flow, _| {
            if flow.connection.is_closed() {
                return Ok(());
            }
            let is_writable = flow.connection.is_writable();
            flow.connection.close();
            if is_writable {
                return Ok(());
            }
            Err(flow.connection.error().unwrap_or(Error::ConnectionReset))
        })??;
        self.stack.kick(self.key);
        Ok(())
    }

    fn abort(&self) {
        if self
            .with(|flow, _| flow.connection.abort(Error::Closed))
            .is_ok()
        {
            self.stack.kick(self.key);
        }
    }

    /// A second reference.
    fn duplicate(&self) -> Self {
        // Without a connection there is nothing to count.
        let _ = self.with(|flow, _| flow.handles += 1);
        Self {
            stack: Rc::clone(&self.stack),
            key: self.key,
            tuple: self.tuple,
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.stack.engine.borrow_mut().release(self.key);
        self.stack.kick(self.key);
    }
}

/// Lets a task be woken, instead of the one before.
fn register(place: &mut Option<Waker>, context: &Context<'_>) {
    match place {
        Some(waker) => waker.clone_from(context.waker()),
        None => *place = Some(context.waker().clone()),
    }
}

macro_rules! read {
    ($type:ty) => {
        impl ErrorType for $type {
            type Error = Error;
        }

        impl Read for $type {
            async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
                poll_fn(|context| self.0.poll_read(context, buffer)).await
            }
        }
    };
}

macro_rules! write {
    ($type:ty) => {
        impl Write for $type {
            async fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
                poll_fn(|context| self.0.poll_write(context, bytes)).await
            }

            /// What was written is on its way already.
            async fn flush(&mut self) -> Result<(), Error> {
                Ok(())
            }
        }
    };
}

read!(TcpStream);
read!(ReadHalf);
write!(TcpStream);
write!(WriteHalf);

impl ErrorType for WriteHalf {
    type Error = Error;
}

impl WriteHalf {
    /// Sends what was written, then closes this side (FIN). Does not wait for the peer.
    ///
    /// # Errors
    /// As for writing.
    pub fn shutdown(&mut self) -> Result<(), Error> {
        self.0.close()
    }
}

impl traits::TcpStream for TcpStream {
    type ReadHalf = ReadHalf;
    type WriteHalf = WriteHalf;

    fn local_addr(&self) -> SocketAddr {
        self.0.tuple.local().into()
    }

    fn peer_addr(&self) -> SocketAddr {
        self.0.tuple.remote().into()
    }

    /// The FIN follows what was written, in the background; this does not wait for the
    /// peer to acknowledge it.
    async fn shutdown(&mut self) -> Result<(), Error> {
        self.0.close()
    }

    fn abort(&mut self) {
        self.0.abort();
    }

    fn split(self) -> (ReadHalf, WriteHalf) {
        let other = self.0.duplicate();
        (ReadHalf(self.0), WriteHalf(other))
    }
}
