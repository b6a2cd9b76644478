//! One connection: its requests, one after the other.

use crate::access::Access;
use crate::exchange::{Exchange, Need};
use crate::handler::Handler;
use crate::head::{self, Extent, Field, RequestHead, Scanner};
use crate::response::Content;
use crate::service::{Service, StopListener};
use crate::wire::{Broken, Wire};
use crate::{Error, Method, Request, Response, Status};
use alloc::vec::Vec;
use core::future::{Future, poll_fn};
use core::net::SocketAddr;
use core::pin::{Pin, pin};
use core::task::Poll;
use embedded_io_async::{Read, Write};
use fata_time::Instant;

/// What a connection reads its first bytes into; most heads fit.
const FIRST_BUFFER: usize = 1024;

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

    /// Makes room for at least `room` bytes behind the others.
    fn reserve(&mut self, room: usize) {
        if self.buffer.len() - self.end >= room {
            return;
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() - self.end < room {
            let length = (self.buffer.len() * 2)
                .max(self.end + room)
                .max(FIRST_BUFFER);
            self.buffer.resize(length, 0);
        }
    }

    /// Gives memory back that a large head has taken.
    fn shrink(&mut self) {
        if self.is_empty() && self.buffer.len() > FIRST_BUFFER {
            self.buffer = Vec::new();
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.reserve(bytes.len());
            self.buffer[self.end..self.end + bytes.len()].copy_from_slice(bytes);
            self.end += bytes.len();
        }
    }
}

pub(crate) struct Connection<'s, S> {
    wire: Wire<'s, S>,
    service: &'s Service,
    peer: Option<SocketAddr>,
    input: Input,
    fields: Vec<Field>,
    exchange: Exchange<'s>,
    stop: StopListener<'s>,
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
            },
            fields: Vec::new(),
            exchange: Exchange::new(service),
            stop: service.stop.listen(),
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
                Err(Refusal::Status(status)) => self.refuse(status).await,
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
            if let Some(extent) = scanned.map_err(Refusal::Status)? {
                let bytes = &self.input.bytes()[extent.start..extent.end];
                let fields_start = extent.fields - extent.start;
                return head::parse_request(bytes, fields_start, &mut self.fields, limits)
                    .map(|head| Some((extent, head)))
                    .map_err(Refusal::Status);
            }
            // The answers to earlier requests leave together, before the next wait.
            let flushed = self.wire.flush(&self.exchange).await;
            flushed.map_err(|Broken| Refusal::Broken)?;
            let is_idle = self.input.is_empty();
            if is_idle {
                self.input.shrink();
                self.exchange.shrink();
                self.wire.watchdog.start(limits.idle_timeout);
            } else if !timed {
                timed = true;
                self.wire.watchdog.start(limits.head_timeout);
            }
            self.input.reserve(1);
            match self.read_more(is_idle).await {
                Some(Ok(length @ 1..)) => self.input.end += length,
                // Lingering would keep the place that others need.
                None if !is_idle && self.stop.is_evicted() => return Err(Refusal::Broken),
                None if !is_idle => return Err(Refusal::Status(Status::REQUEST_TIMEOUT)),
                _ => return Ok(None),
            }
        }
    }

    /// Reads more input. `None` if the time is up, if others need the place, or, while idle, if
    /// the server stops.
    async fn read_more(&mut self, is_idle: bool) -> Option<Result<usize, S::Error>> {
        let stop = &self.stop;
        let since = self.wire.watchdog.started();
        let mut read = pin!(
            self.wire
                .stream
                .read(&mut self.input.buffer[self.input.end..])
        );
        let watchdog = &mut self.wire.watchdog;
        poll_fn(|context| {
            if let Poll::Ready(result) = read.as_mut().poll(context) {
                stop.set_busy();
                return Poll::Ready(Some(result));
            }
            let stopped = match is_idle {
                true => stop.poll(context, Some(since)),
                false => stop.poll_evicted(context, since),
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
        if self.exchange.is_output_full() {
            self.wire.flush(&self.exchange).await?;
        }
        let started = self.service.log.is_some().then(|| self.service.tasks.now());
        let (before, rest) = self.input.bytes().split_at(extent.end);
        let taken = self.exchange.begin(head, rest);
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
            answer(&mut self.wire, &self.exchange, Ok(response)).await
        } else {
            let outcome = {
                let future = pin!(handler.handle(&mut request));
                drive(&mut self.wire, &self.exchange, future).await
            };
            match outcome {
                Ok(outcome) => answer(&mut self.wire, &self.exchange, outcome).await,
                Err(Broken) => Err(Broken),
            }
        };
        self.log(started, Some(head.method), path);
        served?;
        self.input.consume(extent.end + taken);
        self.finish_body().await
    }

    /// Drops what the handler has left of the body. Returns whether another request may
    /// follow.
    async fn finish_body(&mut self) -> Result<bool, Broken> {
        let exchange = &self.exchange;
        if exchange.keeps_alive() && !exchange.is_input_done() && !self.drain_body().await? {
            self.exchange.set_close();
        }
        let keeps_alive = self.exchange.keeps_alive();
        self.exchange.end(|rest| self.input.push(rest));
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
            self.wire.watchdog.start(limits.linger_timeout);
        }
        while end == Ok(false) {
            let (mut buffer, _) = self.exchange.take_input(Need::Read);
            let read = self.wire.stream.read(&mut buffer);
            let length = match self.wire.watchdog.until(read).await {
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
    async fn refuse(&mut self, status: Status) -> Result<bool, Broken> {
        let started = self.service.log.is_some().then(|| self.service.tasks.now());
        self.exchange.begin_refusal();
        let response = Ok(Response::error(status));
        answer(&mut self.wire, &self.exchange, response).await?;
        self.log(started, None, "");
        self.flush_last().await?;
        Ok(false)
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
    Status(Status),
    Broken,
}

/// Runs a handler, and does for it what it waits for. One that writes a body which is not
/// sent has nothing left to do.
async fn drive<S: Read + Write, F: Future<Output = Result<Response, Error>>>(
    wire: &mut Wire<'_, S>,
    exchange: &Exchange<'_>,
    mut future: Pin<&mut F>,
) -> Result<F::Output, Broken> {
    loop {
        let need = poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Event::Done(output)),
            Poll::Pending => match exchange.need() {
                Some(need) => Poll::Ready(Event::Need(need)),
                None => Poll::Pending,
            },
        })
        .await;
        match need {
            Event::Done(output) => return Ok(output),
            Event::Need(Need::End) => return Ok(Ok(Response::written(Status::OK))),
            Event::Need(Need::Write) => wire.flush(exchange).await?,
            Event::Need(need) => {
                let (mut buffer, filled) = exchange.take_input(need);
                let free = &mut buffer[filled..];
                match read_beside(wire, exchange, free, need, future.as_mut()).await {
                    Event::Done(output) => {
                        exchange.not_received(buffer);
                        return Ok(output);
                    }
                    Event::Need(_) | Event::Changed => exchange.not_received(buffer),
                    Event::Read(result) => exchange.received(buffer, result),
                }
            }
            Event::Read(_) | Event::Changed => {}
        }
    }
}

enum Event<T> {
    Done(T),
    Need(Need),
    /// The handler needs something else.
    Changed,
    Read(Result<usize, Error>),
}

/// Reads, for as long as that is what the handler needs, while it goes on with whatever else
/// it waits for.
async fn read_beside<S: Read + Write, F: Future>(
    wire: &mut Wire<'_, S>,
    exchange: &Exchange<'_>,
    buffer: &mut [u8],
    need: Need,
    mut future: Pin<&mut F>,
) -> Event<F::Output> {
    let mut read = pin!(wire.stream.read(buffer));
    let watchdog = &mut wire.watchdog;
    let limit = exchange.patience(need);
    if let Some(limit) = limit {
        watchdog.start(limit);
    }
    // The handler was polled a moment ago, with the same waker.
    let mut first = true;
    poll_fn(|context| {
        match read.as_mut().poll(context) {
            Poll::Ready(Ok(length @ 1..)) => return Poll::Ready(Event::Read(Ok(length))),
            Poll::Ready(_) => return Poll::Ready(Event::Read(Err(Error::Incomplete))),
            Poll::Pending => {}
        }
        if limit.is_some() && watchdog.poll_expired(context) {
            return Poll::Ready(Event::Read(Err(Error::TimedOut)));
        }
        if !core::mem::replace(&mut first, false) {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Event::Done(output));
            }
            if exchange.need() != Some(need) {
                return Poll::Ready(Event::Changed);
            }
        }
        Poll::Pending
    })
    .await
}

/// Sends a handler's answer, as far as it does not fit the buffer.
async fn answer<S: Read + Write>(
    wire: &mut Wire<'_, S>,
    exchange: &Exchange<'_>,
    outcome: Result<Response, Error>,
) -> Result<(), Broken> {
    let response = match outcome {
        Ok(response) => response,
        Err(error) => Response::error(error.status()),
    };
    let body = match (&response.content, exchange.status()) {
        (Content::Bytes(body), None) => body,
        (Content::Written, Some(_)) if exchange.is_finished() => return Ok(()),
        _ => {
            // The answer has begun and cannot be taken back: only the connection's end
            // tells the client.
            log::warn!(target: "http", "closing a connection: its answer was not finished");
            let _ = wire.flush(exchange).await;
            return Err(Broken);
        }
    };
    // What the client has sent of its body makes no difference to the answer, unless
    // the body is malformed or goes on for too long.
    if exchange.discard_input().is_err() || !exchange.is_input_drainable() {
        exchange.set_close();
    }
    let opened = exchange.open(&response, Some(body.len() as u64));
    opened.map_err(|_| Broken)?;
    let rest = exchange.append(body);
    if !rest.is_empty() {
        wire.flush(exchange).await?;
        wire.write_all(rest).await?;
    }
    Ok(())
}
