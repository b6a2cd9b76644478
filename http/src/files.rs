#![allow(
    async_fn_in_trait,
    reason = "one core, one executor: no future has to be Send"
)]

use crate::{Error, Method, Request, Response};
use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::ops::Range;
use embedded_io_async::Write;
use fata_kv::FileTable;

/// How much of a file that is not in the image is read at once.
const STEP: usize = 4096;
const LEAST_STEP: usize = 512;

/// A read-only tree of files that a [`FileServer`](crate::FileServer) serves.
pub trait Files {
    /// The source of a file's bytes.
    type Content: Content;

    /// Finds a file by its path: segments joined by `/`, none at the start, none that is
    /// empty, `.` or `..`. Folders are not files.
    ///
    /// # Errors
    /// Those of the store; the server answers with the error's status.
    async fn find(&self, path: &str) -> Result<Option<File<Self::Content>>, Error>;
}

/// A file that was found.
#[derive(Clone, Debug)]
pub struct File<C> {
    /// Gives the bytes.
    pub content: C,
    /// The length in bytes.
    pub size: u64,
    /// The strong entity tag with its quotes, such as `"5d41402a"`: another one whenever
    /// a byte changes (RFC 9110, section 8.8.3). Empty if there is none.
    pub etag: Cow<'static, str>,
    /// When the file was changed last, in seconds since the Unix epoch.
    pub modified: Option<u64>,
}

impl<C: Content> File<C> {
    /// Answers a request with some of the file's bytes, or to HEAD with none; `response` gives
    /// the head. Memory is constant, however many they are.
    ///
    /// # Errors
    /// Those of the store, of the connection, and [`Error::AlreadyStarted`].
    pub async fn send(
        &self,
        request: &mut Request<'_>,
        response: Response,
        bytes: Range<u64>,
    ) -> Result<Response, Error> {
        if let Some(all) = self.content.in_image() {
            let part = all.get(bytes.start as usize..bytes.end as usize);
            return Ok(response.content(part.unwrap_or_default()));
        }
        let Range { start: mut at, end } = bytes;
        let mut writer = request.start(response, Some(end.saturating_sub(at)))?;
        if request.method() == Method::Head {
            return Ok(writer.finish());
        }
        let mut buffer = Vec::new();
        // Less will do, if memory is short.
        let found = buffer.try_reserve_exact(STEP).is_ok();
        buffer.resize(if found { STEP } else { LEAST_STEP }, 0);
        while at < end {
            // Up to where a block of a store may end: it reads no block twice.
            let step = buffer.len() as u64;
            let room = (end - at).min(step - at % step) as usize;
            let length = self.content.read_at(at, &mut buffer[..room]).await?;
            if length == 0 {
                // The file is shorter than it said, so that the answer cannot be completed.
                break;
            }
            writer.write_all(&buffer[..length]).await?;
            at += length as u64;
        }
        Ok(writer.finish())
    }
}

/// The bytes of a file.
pub trait Content {
    /// All of them, if they lie in the image: they are sent from there without copies.
    fn in_image(&self) -> Option<&'static [u8]> {
        None
    }

    /// Reads bytes from `offset` on. Zero only at the end.
    ///
    /// # Errors
    /// Those of the store; the connection is then closed, as the answer has begun.
    async fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Error>;
}

impl Content for &'static [u8] {
    fn in_image(&self) -> Option<&'static [u8]> {
        Some(self)
    }

    async fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|offset| self.get(offset..))
            .unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }
}

impl Files for FileTable {
    type Content = &'static [u8];

    async fn find(&self, path: &str) -> Result<Option<File<Self::Content>>, Error> {
        Ok(self.entry(path).map(|entry| File {
            content: entry.content,
            size: entry.content.len() as u64,
            etag: Cow::Borrowed(entry.etag),
            modified: (entry.modified > 0).then_some(entry.modified),
        }))
    }
}
