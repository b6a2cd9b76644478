//! HTTP/1.1 for Fata: a server and a client over any stream (RFC 9110 and RFC 9112).
//!
//! - [`Server`] serves a [`Handler`]: a closure, a [`Router`], a [`FileServer`].
//! - [`Request`] and [`Response`] are what a handler gets and gives; bodies stream both
//!   ways in constant memory.
//! - [`Limits`] names every bound and every time-out.
//! - [`Client`] sends requests over a stream that is connected already.
//!
//! The server accepts exactly what the standard allows and refuses what two programs
//! could understand differently, because such requests are how caches and proxies are
//! deceived.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod access;
mod admission;
mod body;
mod chunked;
mod client;
mod client_error;
mod coding;
mod conditional;
mod connection;
mod date;
mod drive;
mod error;
mod exchange;
mod file_server;
mod files;
mod guard;
mod handler;
mod head;
mod kv_files;
mod limits;
mod method;
mod metrics;
mod mime;
mod pattern;
mod request;
mod response;
mod room;
mod router;
mod server;
mod service;
mod span;
mod status;
mod stop;
mod syntax;
mod target;
mod watchdog;
mod wire;
mod writer;

pub use access::Access;
pub use client::{Answer, Client, Upload};
pub use client_error::ClientError;
pub use error::Error;
pub use fata_kv::{FileEntry, FileTable};
pub use file_server::FileServer;
pub use files::{Content, File, Files};
pub use handler::{Handler, handler};
pub use kv_files::{KvContent, KvFiles};
pub use limits::Limits;
pub use method::Method;
pub use metrics::metrics;
pub use mime::media_type;
pub use request::Request;
pub use response::{IntoBody, Response};
pub use router::Router;
pub use server::{Server, Stopper};
pub use status::Status;
pub use writer::Writer;

use alloc::vec::Vec;
use embedded_io_async::Read;

/// Reads a stream to its end, which is expected after `expected` bytes. `None` if it is longer
/// than `limit` bytes. `reserve` is called before more memory is held, with how much that is
/// then; `refusal` makes an error of one of this crate.
async fn read_to_vec<R: Read>(
    reader: &mut R,
    expected: usize,
    limit: usize,
    reserve: impl AsyncFn(&R, usize) -> Result<(), R::Error>,
    refusal: fn(Error) -> R::Error,
) -> Result<Option<Vec<u8>>, R::Error> {
    /// Most bytes of one read.
    const STEP: usize = 4096;
    let mut all = Vec::new();
    loop {
        let length = all.len();
        // One byte more than the limit, to see whether the stream ends there.
        let end = length + (limit - length).saturating_add(1).min(STEP);
        if end > all.capacity() {
            let capacity = end.max(expected.saturating_add(STEP)).max(2 * length);
            // A vector that grows is copied: both are there for a moment.
            reserve(reader, length.saturating_add(capacity)).await?;
            let grown = all.try_reserve_exact(capacity - length);
            grown.map_err(|_| refusal(Error::NoRoom))?;
        }
        all.resize(end, 0);
        let read = reader.read(&mut all[length..]).await?;
        all.truncate(length + read);
        if read == 0 {
            return Ok(Some(all));
        }
        if all.len() > limit {
            return Ok(None);
        }
    }
}
