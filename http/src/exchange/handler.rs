//! The handler's side.

use super::output::Body;
use super::{CONTINUE, Exchange};
use crate::Error;
use crate::body::Decoder;
use crate::chunked;
use crate::response::{self, Connection, Length, Response};
use core::mem;
use core::task::{Context, Poll};

impl Exchange<'_> {
    /// Writes the head of an answer that is produced piece by piece. If it is a success,
    /// the handler can be expected to read the body meanwhile.
    pub(crate) fn start(&self, response: &Response, length: Option<u64>) -> Result<(), Error> {
        let mut output = self.output.borrow_mut();
        if output.status.is_none()
            && response.status.is_success()
            && mem::take(&mut self.input.borrow_mut().continue_due)
        {
            output.buffer.extend_from_slice(CONTINUE);
        }
        drop(output);
        self.open(response, length)
    }

    /// Writes an answer's head. `length` is the body's, if it is known.
    pub(crate) fn open(&self, response: &Response, length: Option<u64>) -> Result<(), Error> {
        let output = &mut *self.output.borrow_mut();
        if output.status.is_some() {
            return Err(Error::AlreadyStarted);
        }
        let bodiless = response.status.is_bodiless();
        let (body, announced) = match length {
            _ if bodiless => (Body::Discard, Length::None),
            Some(length) => (Body::Length(length), Length::Known(length)),
            None if self.minor.get() == 0 => (Body::UntilClose, Length::None),
            None => (Body::Chunked, Length::Chunked),
        };
        // A client that still waits for leave to send its body may send it or not.
        let ends = self.input.borrow().continue_due || matches!(body, Body::UntilClose);
        output.keep_alive &= !ends && self.service.wants_keep_alive();
        output.body = if self.is_head.get() {
            Body::Discard
        } else {
            body
        };
        output.status = Some(response.status);
        let date = self.service.date.now();
        let framing = response::Framing {
            date: date.as_ref().map(|date| &date[..]),
            length: announced,
            connection: match (output.keep_alive, self.minor.get()) {
                (false, _) => Connection::Close,
                (true, 0) => Connection::KeepAlive,
                (true, _) => Connection::Implied,
            },
        };
        output.reserve_head();
        response.push_head(&mut output.buffer, &framing);
        Ok(())
    }

    /// Takes bytes of the answer's body, at least one. If the body is not sent, the driver
    /// ends the handler here.
    pub(crate) fn poll_write(
        &self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, Error>> {
        let output = &mut *self.output.borrow_mut();
        if output.chunk_space() == 0 {
            output.close_chunk();
        }
        let (wanted, overhead) = match output.body {
            Body::Discard | Body::Discarded if bytes.is_empty() => return Poll::Ready(Ok(0)),
            Body::Discard | Body::Discarded => {
                output.body = Body::Discarded;
                output.finished = true;
                return Poll::Pending;
            }
            Body::Length(0) if !bytes.is_empty() => {
                return Poll::Ready(Err(Error::LengthExceeded));
            }
            Body::Length(left) => (left.min(bytes.len() as u64) as usize, 0),
            Body::UntilClose => (bytes.len(), 0),
            Body::Chunked => (
                bytes.len().min(output.chunk_space()),
                chunked::SIZE_LINE.len() + 2,
            ),
        };
        let most = self.most_output();
        let room = output.reserve(wanted + overhead, most);
        let length = wanted.min(room.saturating_sub(overhead));
        if length == 0 && wanted > 0 {
            self.block(context);
            return Poll::Pending;
        }
        if output.chunk.is_none() && length > 0 && matches!(output.body, Body::Chunked) {
            output.chunk = Some(output.buffer.len());
            output.buffer.extend_from_slice(chunked::SIZE_LINE);
        }
        output.buffer.extend_from_slice(&bytes[..length]);
        output.count(length);
        Poll::Ready(Ok(length))
    }

    /// Waits until the stream has taken everything.
    pub(crate) fn poll_flush(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.output.borrow().buffer.is_empty() {
            return Poll::Ready(());
        }
        self.block(context);
        Poll::Pending
    }

    /// The handler waits until some of the answer has left.
    fn block(&self, context: &mut Context<'_>) {
        self.blocked.set(true);
        self.register(context);
    }

    /// Waits for memory that the handler holds until the answer has left.
    pub(crate) async fn reserve(&self, bytes: usize) -> Result<(), Error> {
        self.reserved.set(None);
        if !self.service.could_reserve(bytes) {
            return Err(Error::BodyTooLarge);
        }
        let lease = self.service.reserve(bytes).await.ok_or(Error::NoRoom)?;
        self.reserved.set(Some(lease));
        Ok(())
    }

    /// Ends the answer's body. If less was written than announced, the answer stays
    /// unfinished, and the connection will be closed.
    pub(crate) fn finish(&self) {
        let output = &mut *self.output.borrow_mut();
        output.close_chunk();
        output.finished = match output.body {
            Body::Length(left) => left == 0,
            Body::Chunked => {
                output.buffer.extend_from_slice(b"0\r\n\r\n");
                true
            }
            Body::UntilClose | Body::Discard | Body::Discarded => true,
        };
    }

    /// Takes bytes of the request's body; none if it is over.
    pub(crate) fn poll_read(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<usize, Error>> {
        let input = &mut *self.input.borrow_mut();
        if buffer.is_empty() || input.decoder.is_done() {
            return Poll::Ready(Ok(0));
        }
        let data = input.take(buffer.len())?;
        if !data.is_empty() || input.decoder.is_done() {
            let length = data.len();
            buffer[..length].copy_from_slice(&input.buffer[data]);
            return Poll::Ready(Ok(length));
        }
        if input.continue_due {
            let mut output = self.output.borrow_mut();
            if output.status.is_some() {
                // The answer refuses the body, so that the client does not send it.
                input.failed = Some(Error::Incomplete);
                return Poll::Ready(Err(Error::Incomplete));
            }
            input.continue_due = false;
            output.buffer.extend_from_slice(CONTINUE);
        }
        input.wanted = true;
        self.register(context);
        Poll::Pending
    }

    /// Nobody waits for more of the request's body.
    pub(crate) fn stop_reading(&self) {
        self.input.borrow_mut().wanted = false;
    }

    /// Ready when the client has closed the connection, or its side of it.
    pub(crate) fn poll_closed(&self, context: &mut Context<'_>) -> Poll<()> {
        let input = &mut *self.input.borrow_mut();
        if input.closed || input.failed.is_some() {
            return Poll::Ready(());
        }
        input.watched = true;
        self.register(context);
        Poll::Pending
    }

    /// How many bytes the body still has, if that is known.
    pub(crate) fn remaining(&self) -> Option<u64> {
        match self.input.borrow().decoder {
            Decoder::Length(left) => Some(left),
            _ => None,
        }
    }

    fn register(&self, context: &mut Context<'_>) {
        let waker = self.waker.take();
        let known = waker.filter(|waker| waker.will_wake(context.waker()));
        self.waker
            .set(Some(known.unwrap_or_else(|| context.waker().clone())));
    }
}
