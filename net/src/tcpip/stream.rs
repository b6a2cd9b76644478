use super::flow::{Connection, Flow};
use super::frame::Tuple;
use super::{Error, Shared};
use crate::traits;
use alloc::rc::Rc;
use core::future::poll_fn;
use core::net::SocketAddr;
use core::task::{Context, Poll};
use embedded_io_async::{ErrorType, Read, Write};
use smoltcp::socket::tcp;

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
    fn with<R>(
        &self,
        operation: impl FnOnce(&mut tcp::Socket<'static>, &mut Connection) -> R,
    ) -> Result<R, Error> {
        let mut engine = self.stack.engine.borrow_mut();
        let flow = engine.table.get(self.key).and_then(Flow::tcp);
        // A connection lives as long as something refers to it.
        let (socket, connection) = flow.ok_or(Error::Other)?;
        Ok(operation(socket, connection))
    }

    fn poll_opened(&self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let opened = self.stack.engine.borrow_mut().opened(self.key);
        if let Some(result) = opened {
            return Poll::Ready(result);
        }
        self.with(|socket, _| socket.register_send_waker(context.waker()))?;
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
        let (result, tell) = self.with(|socket, connection| {
            let queued = socket.recv_queue();
            let result = match socket.recv_slice(buffer) {
                Ok(0) => {
                    socket.register_recv_waker(context.waker());
                    Poll::Pending
                }
                Ok(count) => Poll::Ready(Ok(count)),
                Err(tcp::RecvError::Finished) => Poll::Ready(Ok(0)),
                Err(tcp::RecvError::InvalidState) if connection.peer_finished => Poll::Ready(Ok(0)),
                Err(tcp::RecvError::InvalidState) => Poll::Ready(Err(connection.failure())),
            };
            // A window that was small is worth telling the peer about now.
            (
                result,
                result.is_ready() && queued >= socket.recv_capacity() / 4,
            )
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
        let result = self.with(|socket, connection| match socket.send_slice(bytes) {
            Ok(0) => {
                socket.register_send_waker(context.waker());
                Poll::Pending
            }
            Ok(count) => Poll::Ready(Ok(count)),
            Err(tcp::SendError::InvalidState) => Poll::Ready(Err(connection.failure())),
        })?;
        if result.is_ready() {
            self.stack.kick(self.key);
        }
        result
    }

    /// Closes this side; what was written before is still sent.
    fn close(&self) -> Result<(), Error> {
        self.with(|socket, connection| {
            if connection.write_closed {
                return Ok(());
            }
            connection.write_closed = true;
            if !socket.may_send() {
                return Err(connection.error.unwrap_or(Error::ConnectionReset));
            }
            socket.close();
            connection.state = socket.state();
            Ok(())
        })??;
        self.stack.kick(self.key);
        Ok(())
    }

    fn abort(&self) {
        let aborted = self.with(|socket, connection| {
            connection.write_closed = true;
            connection.error.get_or_insert(Error::Closed);
            socket.abort();
        });
        if aborted.is_ok() {
            self.stack.kick(self.key);
        }
    }

    /// A second reference.
    fn duplicate(&self) -> Self {
        // Without a connection there is nothing to count.
        let _ = self.with(|_, connection| connection.handles += 1);
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

impl Connection {
    /// Why nothing can be read or written any more.
    fn failure(&self) -> Error {
        match self.error {
            Some(error) => error,
            None if self.write_closed => Error::Closed,
            None => Error::ConnectionReset,
        }
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
