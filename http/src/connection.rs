//! One connection: its requests, one after the other.

use crate::access::Access;
use crate::exchange::{Exchange, LITTLE, Need};
use crate::handler::Handler;
use crate::head::{self, Extent, Field, RequestHead, Scanner};
use crate::service::Service;
use crate::wire::{Broken, Wire};
use crate::{Error, Method, Request, Response, Status, drive};
use alloc::vec::Vec;
use core::future::{Future, poll_fn};
use core::net::SocketAddr;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use embedded_io_async::{Read, Write};
use fata_memory::Lease;
use fata_time::Instant;

/// Bytes of a connection's first read buffer; most heads fit.
const FIRST_BUFFER: usize = 1024;
/// How much longer than others a new connection may be idle before it has to make room.
const FIRST_GRACE: Duration = Duration::from_millis(700);
/// The same where the network has no memory to keep what arrives before somebody reads it.
const LOST_GRACE: Duration = Duration::from_secs(3);
/// Larger buffers for answers are given back when a connection is idle.
const MOST_IDLE_OUTPUT: usize = 16 << 10;

/// How a connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// There is nothing left to do.
    Closed,
    /// The last answer was sent, and the client may still be sending.
    Linger,
    /// The client takes nothing, or an answer could not be finished.
    Broken,
}

/// Bytes that were read from the stream and not used yet.
struct Input {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// For what is larger than the first buffer.
    lease: Lease,
}

impl Input {
    fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn consume(&mut self, length: usize) {
        self.start += length;
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Makes room for at least `room` bytes behind the others. Returns whether there is memory.
    fn reserve(&mut self, room: usize) -> bool {
        if self.buffer.len() - self.end >= room {
            return true;
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() - self.end < room {
            let length = (self.buffer.len() * 2)
                .max(self.end + room)
                .max(FIRST_BUFFER);
            if !self.lease.try_resize(length - FIRST_BUFFER) {
                return false;
            }
            self.buffer.resize(length, 0);
        }
        true
    }

    /// Gives memory back that a large head has taken.
    fn shrink(&mut self) {
        if self.is_empty() && self.buffer.len() > FIRST_BUFFER {
            self.buffer = Vec::new();
            self.lease.try_resize(0);
        }
    }

    /// Appends bytes. Returns whether there is memory.
    fn push(&mut self, bytes: &[u8]) -> bool {
        if !self.reserve(bytes.len()) {
            return false;
        }
        self.buffer[self.end..self.end + bytes.len()].copy_from_slice(bytes);
        self.end += bytes.len();
        true
    }
}

pub(crate) struct Connection<'s, S> {
    wire: Wire<'s, S>,
    service: &'s Service,
    peer: Option<SocketAddr>,
    input: Input,
    fields: Vec<Field>,
    exchange: Exchange<'s>,
    /// True while no request has come yet.
    is_new: bool,
    /// Tells the stream that its end follows what is written next.
    announce_end: fn(&mut S),
}

impl<'s, S: Read + Write> Connection<'s, S> {
    pub(crate) fn new(
        stream: &'s mut S,
        service: &'s Service,
        peer: Option<SocketAddr>,
        announce_end: fn(&mut S),
    ) -> Self {
        Self {
            wire: Wire::new(stream, service),
            service,
            peer,
            input: Input {
                buffer: Vec::new(),
                start: 0,
                end: 0,
                lease: service.room.head(),
            },
            fields: Vec::new(),
            exchange: Exchange::new(service),
            is_new: true,
            announce_end,
        }
    }

    pub(crate) fn into_wire(self) -> Wire<'s, S> {
        self.wire
    }

    /// Answers requests until the connection ends.
    pub(crate) async fn run<H: Handler>(&mut self, handler: &H) -> End {
        loop {
            let next = match self.read_head().await {
                Ok(Some((extent, head))) => match self.serve(extent, &head, handler).await {
                    Ok(false) if head.is_last() && self.input.is_empty() => return End::Closed,
                    next => next,
                },
                Ok(None) => return End::Closed,
                Err(Refusal::Error(error)) => self.refuse(error).await,
                Err(Refusal::Broken) => return End::Broken,
            };
            match next {
                Ok(true) => {}
                Ok(false) => return End::Linger,
                Err(Broken) => return End::Broken,
            }
        }
    }

    /// Waits for the next request. `None` if none comes.
    async fn read_head(&mut self) -> Result<Option<(Extent, RequestHead)>, Refusal> {
        let limits = &self.service.limits;
        let mut scanner = Scanner::default();
        let mut timed = false;
        loop {
            let scanned = scanner.advance(self.input.bytes(), limits);
            if let Some(extent) = scanned.map_err(refusal)? {
                let bytes = &self.input.bytes()[extent.start..extent.end];
                let fields_start = extent.fields - extent.start;
                return head::parse_request(bytes, fields_start, &mut self.fields, limits)
                    .map(|head| Some((extent, head)))
                    .map_err(refusal);
            }
            // The answers to earlier requests leave together, before the next wait.
            let flushed = self.wire.flush(&self.exchange).await;
            flushed.map_err(|Broken| Refusal::Broken)?;
            let is_idle = self.input.is_empty();
            if is_idle {
                self.shrink();
                self.wire.guard.watchdog.start(limits.idle_timeout);
            } else if !timed {
                timed = true;
                self.wire.guard.watchdog.start(limits.head_timeout);
            }
            if !self.input.reserve(1) {
                return Err(Refusal::Error(Error::NoRoom));
            }
            match self.read_more(is_idle).await {
                Some(Ok(length @ 1..)) => self.input.end += length,
                // Lingering would keep the place that others need.
                None if !is_idle && self.wire.guard.stop.is_evicted() => {
                    return Err(Refusal::Broken);
                }
                None if !is_idle => return Err(refusal(Status::REQUEST_TIMEOUT)),
                _ => return Ok(None),
            }
        }
    }

    /// Reads more input. `None` if the time is up, if others need the place, or, while idle, if
    /// the server stops.
    async fn read_more(&mut self, is_idle: bool) -> Option<Result<usize, S::Error>> {
        let guard = &mut self.wire.guard;
        let (stop, watchdog) = (&guard.stop, &mut guard.watchdog);
        let since = watchdog.started();
        // The first request of a new connection may have been lost on its way.
        let grace = match self.is_new {
            true if self.service.room.was_network_short(since) => LOST_GRACE,
            true => FIRST_GRACE,
            false => Duration::ZERO,
        };
        let mut read = pin!(
            self.wire
                .stream
                .read(&mut self.input.buffer[self.input.end..])
        );
        poll_fn(|context| {
            if let Poll::Ready(result) = read.as_mut().poll(context) {
                stop.set_busy();
                return Poll::Ready(Some(result));
            }
            let stopped = match is_idle {
                true => stop.poll_idle(context, since + grace),
                false => stop.poll_head(context, since),
            };
            if stopped.is_ready() || watchdog.poll_expired(context) {
                return Poll::Ready(None);
            }
            Poll::Pending
        })
        .await
    }

    /// Answers one request. Returns whether another one may follow.
    async fn serve<H: Handler>(
        &mut self,
        extent: Extent,
        head: &RequestHead,
        handler: &H,
    ) -> Result<bool, Broken> {
        let Some(mut admission) = self.service.admit(head.has_body()).await else {
            return self.refuse(Error::NoRoom).await;
        };
        // The answer of one on trial can be taken back as long as it is the only one.
        if self.exchange.is_output_full() || admission.is_trial() {
            self.wire.flush(&self.exchange).await?;
        }
        self.is_new = false;
        self.wire.guard.reset_pace();
        let started = self.service.log.is_some().then(|| self.service.tasks.now());
        let (before, rest) = self.input.bytes().split_at(extent.end);
        let taken = self.exchange.begin(head, rest, admission.is_trial());
        let mut request = Request {
            head,
            bytes: &before[extent.start..],
            fields: &self.fields,
            exchange: &self.exchange,
            peer: self.peer,
            pattern: "",
        };
        let path = request.path();
        let served = if head.target.is_asterisk {
            let response = Response::new(Status::NO_CONTENT).allow(|_| true);
            let wire = &mut self.wire;
            drive::answer(wire, &self.exchange, &mut admission, Ok(response)).await
        } else {
            let outcome = {
                let future = pin!(handler.handle(&mut request));
                drive::drive(&mut self.wire, &self.exchange, &mut admission, future).await
            };
            match outcome {
                Ok(outcome) => {
                    let wire = &mut self.wire;
                    drive::answer(wire, &self.exchange, &mut admission, outcome).await
                }
                Err(Broken) => Err(Broken),
            }
        };
        self.log(started, Some(head.method), path);
        served?;
        self.input.consume(extent.end + taken);
        let goes_on = self.finish_body().await?;
        if admission.is_trial() || self.exchange.holds_much() && !self.service.room.is_ample() {
            self.wire.flush(&self.exchange).await?;
            self.exchange.shrink(LITTLE);
        }
        Ok(goes_on)
    }

    /// Drops what the handler has left of the body. Returns whether another request may
    /// follow.
    async fn finish_body(&mut self) -> Result<bool, Broken> {
        let exchange = &self.exchange;
        if exchange.keeps_alive() && !exchange.is_input_done() && !self.drain_body().await? {
            self.exchange.set_close();
        }
        let keeps_alive = self.exchange.keeps_alive();
        let kept = self.exchange.end(|rest| self.input.push(rest));
        if !kept {
            // Further requests have arrived for which there is no memory.
            return Err(Broken);
        }
        if !keeps_alive {
            self.flush_last().await?;
        }
        Ok(keeps_alive)
    }

    /// Sends what the connection ends with.
    async fn flush_last(&mut self) -> Result<(), Broken> {
        (self.announce_end)(self.wire.stream);
        self.wire.flush(&self.exchange).await
    }

    /// Drops the body, what is still to come included. Returns whether its end was found.
    async fn drain_body(&mut self) -> Result<bool, Broken> {
        let limits = &self.service.limits;
        let mut left = limits.linger;
        let mut end = self.exchange.discard_input();
        if end == Ok(false) {
            self.wire.flush(&self.exchange).await?;
            self.wire.guard.watchdog.start(limits.linger_timeout);
        }
        while end == Ok(false) {
            let (mut buffer, _) = self.exchange.take_input(Need::Read);
            let read = self.wire.stream.read(&mut buffer);
            let length = match self.wire.guard.watchdog.until(read).await {
                Some(Ok(length @ 1..)) if length <= left => length,
                _ => return Ok(false),
            };
            left -= length;
            self.exchange.received(buffer, Ok(length));
            end = self.exchange.discard_input();
        }
        Ok(end == Ok(true))
    }

    /// Answers something that is not a request, or not one that the server accepts.
    async fn refuse(&mut self, error: Error) -> Result<bool, Broken> {
        let started = self.service.log.is_some().then(|| self.service.tasks.now());
        self.exchange.begin_refusal();
        drive::refuse(&self.exchange, error)?;
        self.log(started, None, "");
        self.flush_last().await?;
        Ok(false)
    }

    /// Gives memory back while the connection is idle.
    fn shrink(&mut self) {
        self.input.shrink();
        if self.exchange.holds_much() {
            let is_ample = self.service.room.is_ample();
            self.exchange
                .shrink(if is_ample { MOST_IDLE_OUTPUT } else { LITTLE });
        }
    }

    fn log(&self, started: Option<Instant>, method: Option<Method>, path: &str) {
        if let (Some(log), Some(status)) = (&self.service.log, self.exchange.status()) {
            let now = self.service.tasks.now();
            log(&Access {
                peer: self.peer,
                method,
                path,
                status,
                bytes: self.exchange.body_bytes(),
                duration: now.since(started.unwrap_or(now)),
            });
        }
    }
}

/// Why no request came out of the input.
enum Refusal {
    Error(Error),
    Broken,
}

fn refusal(status: Status) -> Refusal {
    Refusal::Error(Error::Status(status))
}
