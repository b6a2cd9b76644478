//! The stream of a connection, with its time-outs.

use crate::exchange::Exchange;
use crate::guard::Guard;
use crate::service::Service;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use embedded_io_async::{Read, Write};

/// The connection is of no use any more: it was reset, or the client takes nothing.
#[derive(Debug)]
pub(crate) struct Broken;

pub(crate) struct Wire<'s, S> {
    pub(crate) stream: &'s mut S,
    pub(crate) guard: Guard<'s>,
    write_timeout: Duration,
}

impl<'s, S: Read + Write> Wire<'s, S> {
    pub(crate) fn new(stream: &'s mut S, service: &'s Service) -> Self {
        Self {
            stream,
            guard: Guard::new(service),
            write_timeout: service.limits.write_timeout,
        }
    }

    pub(crate) async fn write_all(&mut self, mut bytes: &[u8]) -> Result<(), Broken> {
        while !bytes.is_empty() {
            let write = self.stream.write(bytes);
            match self.guard.transfer(self.write_timeout, write).await {
                Some(Ok(length @ 1..)) => bytes = bytes.get(length..).unwrap_or_default(),
                _ => return Err(Broken),
            }
        }
        Ok(())
    }

    /// Sends what was gathered, if there is anything.
    pub(crate) async fn flush(&mut self, exchange: &Exchange<'_>) -> Result<(), Broken> {
        if !exchange.has_output() {
            return Ok(());
        }
        let output = exchange.take_output();
        let written = self.write_all(&output).await;
        exchange.sent(output);
        written?;
        let flush = self.stream.flush();
        let flushed = self.guard.watchdog.guard(self.write_timeout, flush).await;
        match flushed {
            Some(Ok(())) => Ok(()),
            _ => Err(Broken),
        }
    }

    /// Reads and drops what the client still sends: to the end of the stream, or up to
    /// a bound of bytes and time, or until others need the place. A connection that is closed
    /// while input is unread is reset, and the client might never see its answer.
    pub(crate) async fn linger(&mut self, service: &Service) {
        let limits = &service.limits;
        let mut scratch = [0; 512];
        let mut left = limits.linger;
        let Guard { watchdog, stop, .. } = &mut self.guard;
        watchdog.start(limits.linger_timeout);
        let since = watchdog.started();
        while left > 0 {
            let mut read = pin!(self.stream.read(&mut scratch));
            let read = poll_fn(|context| {
                if let Poll::Ready(read) = read.as_mut().poll(context) {
                    return Poll::Ready(Some(read));
                }
                let is_over = stop.poll_head(context, since).is_ready();
                match is_over || watchdog.poll_expired(context) {
                    true => Poll::Ready(None),
                    false => Poll::Pending,
                }
            });
            match read.await {
                Some(Ok(length @ 1..)) => left = left.saturating_sub(length),
                _ => return,
            }
        }
    }
}
