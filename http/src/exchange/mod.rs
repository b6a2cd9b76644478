//! What a handler and the connection's driver share while a request is handled.
//!
//! The handler reads and writes buffers here and never touches the stream, so that it
//! need not know the stream's type. Whenever the handler waits, the driver, in the same
//! task, writes what the handler has written and reads what it waits for.

mod input;
mod output;

use crate::body::Decoder;
use crate::chunked;
use crate::head::RequestHead;
use crate::response::{self, Connection, Length, Response};
use crate::service::Service;
use crate::{Error, Method, Status};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::mem;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use input::Input;
use output::{Body, Output};

/// Leave for the client to send the body (RFC 9110, section 10.1.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What the driver has to do while the handler waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Write,
    /// More of the request's body.
    Read,
    /// To be told when the client goes away.
    Watch,
    /// Nothing: it writes a body that is not sent, for ever perhaps.
    End,
}

/// Bytes of a read that watches for the client's going away.
const WATCH: usize = 64;

/// Larger buffers for answers are given back when a connection is idle.
const MOST_IDLE_OUTPUT: usize = 16 << 10;

/// One request and its answer; reused for the connection's next one.
pub(crate) struct Exchange<'s> {
    service: &'s Service,
    is_head: Cell<bool>,
    minor: Cell<u8>,
    input: RefCell<Input>,
    output: RefCell<Output>,
    waker: Cell<Option<Waker>>,
}

impl<'s> Exchange<'s> {
    pub(crate) fn new(service: &'s Service) -> Self {
        Self {
            service,
            is_head: Cell::new(false),
            minor: Cell::new(1),
            input: RefCell::new(Input {
                buffer: Vec::new(),
                start: 0,
                end: 0,
                decoder: Decoder::DONE,
                continue_due: false,
                wanted: false,
                failed: None,
                watched: false,
                closed: false,
            }),
            output: RefCell::new(Output {
                buffer: Vec::new(),
                body: Body::Discard,
                chunk: None,
                status: None,
                finished: false,
                keep_alive: true,
                sent: 0,
            }),
            waker: Cell::new(None),
        }
    }

    /// Begins a request. Returns how many bytes of `rest`, which follow its head, were
    /// taken: all if the request has a body.
    pub(crate) fn begin(&self, head: &RequestHead, rest: &[u8]) -> usize {
        let limits = &self.service.limits;
        self.is_head.set(head.method == Method::Head);
        self.minor.set(head.minor);
        self.reset_output(head.keep_alive);
        let input = &mut *self.input.borrow_mut();
        input.decoder = Decoder::new(head.framing, limits.body);
        input.wanted = false;
        input.failed = None;
        input.watched = false;
        input.closed = false;
        input.start = 0;
        input.end = 0;
        if input.decoder.is_done() {
            input.continue_due = false;
            return 0;
        }
        input.continue_due = head.expects_continue && rest.is_empty();
        input.buffer.extend_from_slice(rest);
        input.end = rest.len();
        rest.len()
    }

    /// Prepares the answer to something that is not a request: a refusal.
    pub(crate) fn begin_refusal(&self) {
        self.is_head.set(false);
        self.minor.set(1);
        self.reset_output(false);
    }

    fn reset_output(&self, keep_alive: bool) {
        let mut output = self.output.borrow_mut();
        output.status = None;
        output.finished = false;
        output.keep_alive = keep_alive;
        output.body = Body::Discard;
        output.chunk = None;
        output.sent = 0;
    }

    /// Ends the request and hands the bytes that follow its body to `take`.
    pub(crate) fn end(&self, take: impl FnOnce(&[u8])) {
        let input = &mut *self.input.borrow_mut();
        take(&input.buffer[input.start..input.end]);
        input.buffer = Vec::new();
        (input.start, input.end) = (0, 0);
    }

    // The handler's side.

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
        let used = output.buffer.len() + overhead;
        let length = wanted.min(self.service.limits.write_buffer.saturating_sub(used));
        if length == 0 && wanted > 0 {
            self.register(context);
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
        self.register(context);
        Poll::Pending
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

    // The driver's side.

    /// What the handler waits for. What it has written goes out first, so that a client
    /// that answers to it is not kept waiting.
    pub(crate) fn need(&self) -> Option<Need> {
        let input = self.input.borrow();
        let output = self.output.borrow();
        if matches!(output.body, Body::Discarded) {
            Some(Need::End)
        } else if !output.buffer.is_empty() {
            Some(Need::Write)
        } else if input.wanted {
            Some(Need::Read)
        } else if input.is_watching(self.service.limits.body_buffer) {
            Some(Need::Watch)
        } else {
            None
        }
    }

    /// How long input may take that is waited for.
    pub(crate) fn patience(&self, need: Need) -> Option<Duration> {
        (need == Need::Read).then_some(self.service.limits.body_timeout)
    }

    pub(crate) fn has_output(&self) -> bool {
        !self.output.borrow().buffer.is_empty()
    }

    /// Whether so many answers have gathered that they should leave.
    pub(crate) fn is_output_full(&self) -> bool {
        self.output.borrow().buffer.len() >= self.service.limits.write_buffer
    }

    /// Takes what is to be sent. Give the vector back to [`sent`](Self::sent).
    pub(crate) fn take_output(&self) -> Vec<u8> {
        let mut output = self.output.borrow_mut();
        output.close_chunk();
        mem::take(&mut output.buffer)
    }

    /// The output was sent; its buffer is used again.
    pub(crate) fn sent(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut output = self.output.borrow_mut();
        if output.buffer.is_empty() {
            output.buffer = buffer;
        }
        drop(output);
        self.wake();
    }

    /// Takes the buffer for input, and from where on to fill it. Give it back to
    /// [`received`](Self::received) or [`not_received`](Self::not_received).
    pub(crate) fn take_input(&self, need: Need) -> (Vec<u8>, usize) {
        let input = &mut *self.input.borrow_mut();
        if need == Need::Read {
            debug_assert_eq!(input.start, input.end, "the decoder has taken all of it");
            (input.start, input.end) = (0, 0);
        }
        let least = match need {
            Need::Watch => input.end + WATCH,
            _ => self.service.limits.body_buffer,
        };
        let mut buffer = mem::take(&mut input.buffer);
        if buffer.len() < least {
            buffer.resize(least, 0);
        }
        (buffer, input.end)
    }

    /// `length` bytes more of input were read, or reading has failed.
    pub(crate) fn received(&self, buffer: Vec<u8>, length: Result<usize, Error>) {
        let mut input = self.input.borrow_mut();
        input.buffer = buffer;
        input.wanted = false;
        match length {
            Ok(length) => input.end += length,
            Err(_) if input.decoder.is_done() => input.closed = true,
            Err(error) => input.failed = Some(error),
        }
        drop(input);
        self.wake();
    }

    /// Reading was broken off because the handler wants something else.
    pub(crate) fn not_received(&self, buffer: Vec<u8>) {
        self.input.borrow_mut().buffer = buffer;
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Drops what has arrived of the body. Returns whether that is all of it.
    ///
    /// # Errors
    /// As for reading the body.
    pub(crate) fn discard_input(&self) -> Result<bool, Error> {
        let input = &mut *self.input.borrow_mut();
        while !input.take(usize::MAX)?.is_empty() {}
        Ok(input.decoder.is_done())
    }

    /// Whether the body is over, so that another request may follow.
    pub(crate) fn is_input_done(&self) -> bool {
        let input = self.input.borrow();
        input.decoder.is_done() && input.failed.is_none()
    }

    /// Whether what is left of the body may be read and dropped, so that another request
    /// may follow: it is short, and the client does not wait for leave to send it.
    pub(crate) fn is_input_drainable(&self) -> bool {
        let input = self.input.borrow();
        let is_short = match input.decoder {
            Decoder::Length(left) => left <= self.service.limits.linger as u64,
            _ => input.decoder.is_done(),
        };
        is_short && !input.continue_due && input.failed.is_none()
    }

    /// Gives back the memory that large answers have taken.
    pub(crate) fn shrink(&self) {
        let buffer = &mut self.output.borrow_mut().buffer;
        if buffer.is_empty() && buffer.capacity() > MOST_IDLE_OUTPUT {
            *buffer = Vec::new();
        }
    }

    /// The connection ends after this answer.
    pub(crate) fn set_close(&self) {
        self.output.borrow_mut().keep_alive = false;
    }

    pub(crate) fn keeps_alive(&self) -> bool {
        self.output.borrow().keep_alive
    }

    /// The status of the answer that was begun.
    pub(crate) fn status(&self) -> Option<Status> {
        self.output.borrow().status
    }

    /// Whether the answer that was begun is complete.
    pub(crate) fn is_finished(&self) -> bool {
        self.output.borrow().finished
    }

    /// Bytes of the answer's body, for the log.
    pub(crate) fn body_bytes(&self) -> u64 {
        self.output.borrow().sent
    }

    /// Appends what fits of the body of an answer that was opened with its length.
    /// Returns what does not fit; the caller sends that itself.
    pub(crate) fn append<'b>(&self, body: &'b [u8]) -> &'b [u8] {
        let output = &mut *self.output.borrow_mut();
        if matches!(output.body, Body::Discard) {
            output.finished = true;
            return &[];
        }
        let space = self
            .service
            .limits
            .write_buffer
            .saturating_sub(output.buffer.len());
        let (now, later) = body.split_at(body.len().min(space));
        output.buffer.extend_from_slice(now);
        output.count(body.len());
        output.finished = true;
        later
    }
}
