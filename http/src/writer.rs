use crate::exchange::Exchange;
use crate::{Error, Response, Status};
use core::fmt;
use core::future::poll_fn;
use embedded_io_async::{ErrorType, Write};

/// Writes the body of an answer, see [`Request::start`](crate::Request::start).
///
/// Bytes gather in the connection's buffer and leave when it is full, on a flush, or when
/// the handler waits for anything else. A write waits while the client does not read.
/// If the connection breaks, the handler's future is dropped where it waits, and if the answer
/// has no body, as to HEAD, where it writes.
#[must_use = "an answer that is not finished closes the connection"]
pub struct Writer<'c> {
    pub(crate) exchange: &'c Exchange<'c>,
    pub(crate) status: Status,
}

impl fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Writer<'_> {
    /// Ends the body. The handler returns what it gets from here. If it never gets here,
    /// or if it has written less than announced, the connection is closed, so that the
    /// client can tell that the answer is incomplete.
    pub fn finish(self) -> Response {
        self.exchange.finish();
        Response::written(self.status)
    }
}

impl ErrorType for Writer<'_> {
    type Error = Error;
}

impl Write for Writer<'_> {
    /// Takes some of the bytes. If the answer has no body, as to HEAD, it is complete by now,
    /// and the handler does not go on from here.
    ///
    /// # Errors
    /// [`Error::LengthExceeded`].
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        poll_fn(|context| self.exchange.poll_write(context, bytes)).await
    }

    /// Waits until the stream has taken everything.
    ///
    /// # Errors
    /// None.
    async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|context| self.exchange.poll_flush(context)).await;
        Ok(())
    }
}
