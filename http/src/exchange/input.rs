use crate::Error;
use crate::body::Decoder;
use alloc::vec::Vec;
use core::ops::Range;

/// The request body's side.
pub(super) struct Input {
    /// Bytes `start..end` were read and not taken. Empty while the driver reads.
    pub(super) buffer: Vec<u8>,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) decoder: Decoder,
    /// The client waits for `100 Continue`.
    pub(super) continue_due: bool,
    pub(super) wanted: bool,
    pub(super) failed: Option<Error>,
    /// The handler wants to know when the client goes away.
    pub(super) watched: bool,
    /// The client has closed the connection, or its side of it, behind the body.
    pub(super) closed: bool,
}

impl Input {
    /// True if the driver reads on behind the body only to see the client go away. The
    /// client may send its next requests instead: about `most` bytes of them are kept.
    pub(super) fn is_watching(&self, most: usize) -> bool {
        self.watched && !self.closed && self.decoder.is_done() && self.end < most
    }

    /// Takes at most `max` bytes of data out of the buffer. None if the body is over or
    /// the buffer holds no more of it.
    pub(super) fn take(&mut self, max: usize) -> Result<Range<usize>, Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let taken = self
            .decoder
            .take(&self.buffer[self.start..self.end], max)
            .inspect_err(|error| self.failed = Some(*error));
        let (skip, length) = taken?;
        let data = self.start + skip..self.start + skip + length;
        self.start = data.end;
        Ok(data)
    }
}
