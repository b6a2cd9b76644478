//! Runs a handler, and sends its answer.

use crate::admission::Admission;
use crate::exchange::{Exchange, Need};
use crate::response::Content;
use crate::wire::{Broken, Wire};
use crate::{Error, Response, Status};
use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use embedded_io_async::{Read, Write};
use fata_memory::Part;
use fata_memory::tally::scope;

/// Runs a handler, and does for it what it waits for. One that writes a body which is not
/// sent has nothing left to do.
pub(crate) async fn drive<S: Read + Write, F: Future<Output = Result<Response, Error>>>(
    wire: &mut Wire<'_, S>,
    exchange: &Exchange<'_>,
    admission: &mut Admission<'_>,
    mut future: Pin<&mut F>,
) -> Result<F::Output, Broken> {
    loop {
        let need = poll_fn(|context| match poll_handler(future.as_mut(), context) {
            Poll::Ready(output) => Poll::Ready(Event::Done(output)),
            Poll::Pending => match exchange.need() {
                Some(need) => Poll::Ready(Event::Need(need)),
                None => wire.guard.poll_refused(context).map(|()| Event::Refused),
            },
        })
        .await;
        wire.guard.resume();
        match need {
            Event::Done(output) => return Ok(output),
            Event::Refused if exchange.has_begun() => return Err(Broken),
            Event::Refused => return Ok(Err(refuse_room(exchange))),
            Event::Need(Need::End) => return Ok(Ok(Response::written(Status::OK))),
            Event::Need(Need::Write) => wire.flush(exchange).await?,
            Event::Need(Need::Room) => {
                if !admission.extend().await {
                    return Ok(Err(refuse_room(exchange)));
                }
                exchange.end_trial();
            }
            Event::Need(need) => {
                let (mut buffer, filled) = exchange.take_input(need);
                let free = &mut buffer[filled..];
                match read_beside(wire, exchange, free, need, future.as_mut()).await {
                    Event::Done(output) => {
                        exchange.not_received(buffer);
                        return Ok(output);
                    }
                    Event::Need(_) | Event::Changed | Event::Refused => {
                        exchange.not_received(buffer);
                    }
                    Event::Read(result) => exchange.received(buffer, result),
                }
            }
            Event::Read(_) | Event::Changed => {}
        }
    }
}

/// Polls a handler, whose allocations are the program's.
fn poll_handler<F: Future>(future: Pin<&mut F>, context: &mut Context<'_>) -> Poll<F::Output> {
    scope(Part::Program, || future.poll(context))
}

/// There is no room for the request, of whose answer nothing was sent.
fn refuse_room(exchange: &Exchange<'_>) -> Error {
    exchange.take_back();
    Error::NoRoom
}

enum Event<T> {
    Done(T),
    Need(Need),
    /// The request has to make room for others.
    Refused,
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
    let guard = &mut wire.guard;
    let limit = exchange.patience(need);
    guard.begin(limit.unwrap_or_default());
    // The handler was polled a moment ago, with the same waker.
    let mut first = true;
    poll_fn(|context| {
        match read.as_mut().poll(context) {
            Poll::Ready(Ok(length @ 1..)) => {
                let is_quick = guard.end(length);
                let result = is_quick.then_some(length).ok_or(Error::TimedOut);
                return Poll::Ready(Event::Read(result));
            }
            Poll::Ready(_) => return Poll::Ready(Event::Read(Err(Error::Incomplete))),
            Poll::Pending => {}
        }
        if limit.is_some() && guard.poll_given_up(context).is_ready() {
            return Poll::Ready(Event::Read(Err(Error::TimedOut)));
        }
        if !core::mem::replace(&mut first, false) {
            if let Poll::Ready(output) = poll_handler(future.as_mut(), context) {
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
pub(crate) async fn answer<S: Read + Write>(
    wire: &mut Wire<'_, S>,
    exchange: &Exchange<'_>,
    admission: &mut Admission<'_>,
    outcome: Result<Response, Error>,
) -> Result<(), Broken> {
    let response = outcome.unwrap_or_else(Error::response);
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
    // The part of its body that the client has sent makes no difference to the answer,
    // unless the body is malformed or goes on for too long.
    if exchange.discard_input().is_err() || !exchange.is_input_drainable() {
        exchange.set_close();
    }
    let rest = open(exchange, &response, body)?;
    if rest.is_empty() {
        return Ok(());
    }
    if admission.extend().await {
        wire.flush(exchange).await?;
        return wire.write_all(rest).await;
    }
    exchange.take_back();
    refuse(exchange, Error::NoRoom)
}

/// Answers with an error, which fits the buffer.
pub(crate) fn refuse(exchange: &Exchange<'_>, error: Error) -> Result<(), Broken> {
    let response = error.response();
    match &response.content {
        Content::Bytes(body) => open(exchange, &response, body).map(|_| ()),
        Content::Written => Err(Broken),
    }
}

/// Begins a whole answer. Returns what of its body does not fit the buffer.
fn open<'b>(
    exchange: &Exchange<'_>,
    response: &Response,
    body: &'b [u8],
) -> Result<&'b [u8], Broken> {
    let opened = exchange.open(response, Some(body.len() as u64));
    opened.map_err(|_| Broken)?;
    Ok(exchange.append(body))
}
