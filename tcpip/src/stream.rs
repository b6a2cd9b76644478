use super::Error;
use super::error;
use super::frame::Tuple;
use super::shared::Shared;
use super::table::Flow;
use alloc::rc::Rc;
use core::future::poll_fn;
use core::net::SocketAddr;
use core::task::{Context, Poll, Waker};
use embedded_io_async::{BufRead, ErrorType, Read, Write};
use fata_tcp::{Lent, Pool};

/// A connection of a [`TcpIp`](super::TcpIp) stack.
///
/// Written bytes are copied to the transmit buffer and are on their way from there, so flushing
/// does not wait for the peer. A peer that does not read lets writing wait until it does; bound
/// that by a time-out where it matters.
///
/// As [`BufRead`] it hands up what was received in place, where [`Read`] copies it.
pub struct TcpStream(Reader);

/// The half of a [`TcpStream`] that reads.
pub struct ReadHalf(Reader);

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
        Self(Reader {
            end: End {
                stack: Rc::clone(stack),
                key,
                tuple,
            },
            lent: None,
        })
    }

    /// Opens a connection.
    pub(super) async fn connect(stack: &Rc<Shared>, remote: SocketAddr) -> Result<Self, Error> {
        let (key, tuple) = stack.engine.borrow_mut().open(remote)?;
        // From here on, dropping the future drops the connection.
        let stream = Self::new(stack, key, tuple);
        stack.kick(key);
        poll_fn(|context| stream.0.end.poll_opened(context)).await?;
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
            (poll_end(flow, context).map_ok(|()| 0), false)
        })?;
        if tell {
            self.stack.kick(self.key);
        }
        result
    }

    /// Waits for bytes, and takes their memory over. None at the end.
    fn poll_lend(&self, context: &mut Context<'_>) -> Poll<Result<Option<Lent>, Error>> {
        let (result, tell) = self.with(|flow, pool| match flow.connection.lend(pool) {
            Some((lent, tell)) => (Poll::Ready(Ok(Some(lent))), tell),
            None => (poll_end(flow, context).map_ok(|()| None), false),
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
            let error = flow.connection.error();
            Err(error.map_or(Error::ConnectionReset, error::of_connection))
        })??;
        self.stack.kick(self.key);
        Ok(())
    }

    fn abort(&self) {
        if self
            .with(|flow, _| flow.connection.abort(fata_tcp::Error::Closed))
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

/// The side of a connection that reads.
struct Reader {
    end: End,
    /// Bytes that are being read in place.
    lent: Option<Lent>,
}

impl Reader {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let Some(lent) = &self.lent else {
            return poll_fn(|context| self.end.poll_read(context, buffer)).await;
        };
        let bytes = lent.bytes();
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        self.consume(count);
        Ok(count)
    }

    async fn fill_buf(&mut self) -> Result<&[u8], Error> {
        if self.lent.is_none() {
            self.lent = poll_fn(|context| self.end.poll_lend(context)).await?;
        }
        Ok(self.lent.as_ref().map_or(&[], Lent::bytes))
    }

    fn consume(&mut self, count: usize) {
        if let Some(lent) = &mut self.lent {
            lent.consume(count);
            if lent.bytes().is_empty() {
                self.give_back();
            }
        }
    }

    fn give_back(&mut self) {
        if let Some(lent) = self.lent.take() {
            lent.release(&mut self.end.stack.engine.borrow_mut().pool);
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Result for a reader where there is nothing to read: the end, or an error, or it waits.
fn poll_end(flow: &mut Flow, context: &Context<'_>) -> Poll<Result<(), Error>> {
    let connection = &mut flow.connection;
    if connection.has_peer_finished() {
        Poll::Ready(Ok(()))
    } else if connection.is_open() {
        register(&mut connection.reader, context);
        Poll::Pending
    } else {
        Poll::Ready(Err(flow.failure()))
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
                self.0.read(buffer).await
            }
        }

        impl BufRead for $type {
            async fn fill_buf(&mut self) -> Result<&[u8], Error> {
                self.0.fill_buf().await
            }

            fn consume(&mut self, count: usize) {
                self.0.consume(count);
            }
        }
    };
}

macro_rules! write {
    ($type:ty, $($end:tt)+) => {
        impl Write for $type {
            async fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
                poll_fn(|context| self.$($end)+.poll_write(context, bytes)).await
            }

            /// Written bytes are on their way already.
            async fn flush(&mut self) -> Result<(), Error> {
                Ok(())
            }
        }
    };
}

read!(TcpStream);
read!(ReadHalf);
write!(TcpStream, 0.end);
write!(WriteHalf, 0);

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

impl fata_net::TcpStream for TcpStream {
    type ReadHalf = ReadHalf;
    type WriteHalf = WriteHalf;

    fn local_addr(&self) -> SocketAddr {
        self.0.end.tuple.local().into()
    }

    fn peer_addr(&self) -> SocketAddr {
        self.0.end.tuple.remote().into()
    }

    /// The FIN follows what was written, in the background; this does not wait for the
    /// peer to acknowledge it.
    async fn shutdown(&mut self) -> Result<(), Error> {
        self.0.end.close()
    }

    fn abort(&mut self) {
        self.0.end.abort();
    }

    fn split(self) -> (ReadHalf, WriteHalf) {
        let other = self.0.end.duplicate();
        (ReadHalf(self.0), WriteHalf(other))
    }
}
