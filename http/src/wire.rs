//! The stream of a connection, with its time-outs.

use crate::exchange::Exchange;
use crate::service::Service;
use crate::watchdog::Watchdog;
use core::time::Duration;
use embedded_io_async::{Read, Write};

/// The connection is of no use any more: it was reset, or the client takes nothing.
#[derive(Debug)]
pub(crate) struct Broken;

pub(crate) struct Wire<'s, S> {
    pub(crate) stream: &'s mut S,
    pub(crate) watchdog: Watchdog,
    write_timeout: Duration,
}

impl<'s, S: Read + Write> Wire<'s, S> {
    pub(crate) fn new(stream: &'s mut S, service: &Service) -> Self {
        Self {
            stream,
            watchdog: Watchdog::new(service.tasks.clone()),
            write_timeout: service.limits.write_timeout,
        }
    }

    pub(crate) async fn write_all(&mut self, mut bytes: &[u8]) -> Result<(), Broken> {
        while !bytes.is_empty() {
            let write = self.stream.write(bytes);
            match self.watchdog.guard(self.write_timeout, write).await {
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
        match self.watchdog.guard(self.write_timeout, flush).await {
            Some(Ok(())) => Ok(()),
            _ => Err(Broken),
        }
    }

    /// Reads and drops what the client still sends: to the end of the stream, or up to
    /// a bound of bytes and time. A connection that is closed while input is unread is
    /// reset, and the client might never see its answer.
    pub(crate) async fn linger(&mut self, service: &Service) {
        let limits = &service.limits;
        let mut scratch = [0; 512];
        let mut left = limits.linger;
        self.watchdog.start(limits.linger_timeout);
        while left > 0 {
            match self.watchdog.until(self.stream.read(&mut scratch)).await {
                Some(Ok(length @ 1..)) => left = left.saturating_sub(length),
                _ => return,
            }
        }
    }
}
