//! The state that a handler and the connection's driver share while a request is handled.
//!
//! The handler reads and writes buffers here and never touches the stream, so that it
//! need not know the stream's type. Whenever the handler waits, the driver, in the same
//! task, writes what the handler has written and reads what it waits for.

mod driver;
mod handler;
mod input;
mod output;

use crate::Method;
use crate::body::Decoder;
use crate::head::RequestHead;
use crate::service::Service;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::task::Waker;
use fata_memory::Lease;
use input::Input;
use output::{Body, Output};
pub(crate) use output::{LITTLE, SHORT};

/// Leave for the client to send the body (RFC 9110, section 10.1.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The need of a handler that waits, which the driver meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Write,
    /// More of the request's body.
    Read,
    /// To be told when the client goes away.
    Watch,
    /// Leave to take long, as it has no room for more than a short answer.
    Room,
    /// Nothing: it writes a body that is not sent, for ever perhaps.
    End,
}

/// Bytes of a read that watches for the client's going away.
const WATCH: usize = 64;

/// One request and its answer; reused for the connection's next one.
pub(crate) struct Exchange<'s> {
    service: &'s Service,
    is_head: Cell<bool>,
    minor: Cell<u8>,
    input: RefCell<Input>,
    output: RefCell<Output>,
    waker: Cell<Option<Waker>>,
    /// True while the request has no room yet for more than a short answer.
    trial: Cell<bool>,
    /// True while the handler waits until some of the answer has left.
    blocked: Cell<bool>,
    /// The memory that the handler has asked for until the answer has left.
    reserved: Cell<Option<Lease>>,
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
            trial: Cell::new(false),
            blocked: Cell::new(false),
            reserved: Cell::new(None),
        }
    }

    /// Begins a request, on trial or not. Returns how many bytes of `rest`, which follow its head, were
    /// taken: all if the request has a body.
    pub(crate) fn begin(&self, head: &RequestHead, rest: &[u8], is_trial: bool) -> usize {
        self.trial.set(is_trial);
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

    /// How much of the answer is gathered at most before it is sent.
    fn most_output(&self) -> usize {
        let write_buffer = self.service.limits.write_buffer;
        match self.trial.get() {
            true => write_buffer.min(SHORT),
            false => write_buffer,
        }
    }

    fn reset_output(&self, keep_alive: bool) {
        let mut output = self.output.borrow_mut();
        output.status = None;
        output.finished = false;
        output.keep_alive = keep_alive;
        output.body = Body::Discard;
        output.chunk = None;
        output.sent = 0;
        self.blocked.set(false);
    }

    /// Ends the request and hands the bytes that follow its body to `take`, whose result it
    /// returns.
    pub(crate) fn end(&self, take: impl FnOnce(&[u8]) -> bool) -> bool {
        self.reserved.set(None);
        let input = &mut *self.input.borrow_mut();
        let taken = take(&input.buffer[input.start..input.end]);
        input.buffer = Vec::new();
        (input.start, input.end) = (0, 0);
        taken
    }
}
