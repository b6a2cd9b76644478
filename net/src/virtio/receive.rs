//! The receive queue.

use super::buffers::{Buffer, LARGE, SMALL, allocate};
use super::error::Violation;
use crate::Frame;
use crate::ethernet::close_gap;
use crate::virtio_net_header as header;
use alloc::vec;
use fata_virtio::{SplitQueue, Writable};

pub(super) struct Receiver {
    pub(super) queue: SplitQueue<Writable<Buffer>>,
    /// Bytes of the header before each frame.
    pub(super) header: usize,
    /// True if a frame may go over several buffers.
    pub(super) mergeable: bool,
    /// True if the header tells of checksums.
    pub(super) vouches: bool,
    /// How many small buffers may still be replaced by large ones.
    pub(super) replaceable: u16,
    /// Where the next frame is merged.
    pub(super) spare: Option<Buffer>,
}

impl Receiver {
    /// Queues a small buffer for each descriptor.
    pub(super) fn fill(&mut self) -> Result<(), Violation> {
        (0..self.queue.size()).try_for_each(|_| self.offer(vec![0; SMALL].into()))
    }

    /// Queues a buffer to be filled by the device.
    fn offer(&mut self, buffer: Buffer) -> Result<(), Violation> {
        let added = self.queue.add(Writable::new(buffer, usize::MAX));
        added.map_err(|rejected| rejected.reason.into())
    }

    /// The next frame.
    pub(super) fn receive(&mut self) -> Result<Option<ReceivedFrame>, Violation> {
        let Some(used) = self.queue.pop()? else {
            return Ok(None);
        };
        let buffer = used.buffer.into_memory();
        let frame = ReceivedFrame {
            start: self.header,
            end: used.written.max(self.header),
            verified: self.vouches && header::is_verified(&buffer),
            merged: false,
            buffer,
        };
        if !self.mergeable {
            return Ok(Some(frame));
        }
        if used.written < self.header {
            return Err(Violation::NoHeader(used.written));
        }
        match header::buffers(&frame.buffer) {
            0 => Err(Violation::NoBuffers),
            1 => Ok(Some(frame)),
            count => self.merge(frame, count - 1),
        }
    }

    /// Puts a frame together that goes on in `more` buffers, all of which the device has
    /// returned (section 5.1.6.4). It is lost if there is no memory for it.
    #[cold]
    fn merge(
        &mut self,
        first: ReceivedFrame,
        more: u16,
    ) -> Result<Option<ReceivedFrame>, Violation> {
        let mut merged = self.spare.take().or_else(|| allocate(LARGE));
        let mut end = append(&mut merged, 0, first.as_ref())?;
        self.replace(first.buffer)?;
        for _ in 0..more {
            let used = self.queue.pop()?.ok_or(Violation::MissingBuffers)?;
            let buffer = used.buffer.into_memory();
            end = append(&mut merged, end, &buffer[..used.written])?;
            self.offer(buffer)?;
        }
        Ok(merged.map(|buffer| ReceivedFrame {
            buffer,
            start: 0,
            end,
            verified: first.verified,
            merged: true,
        }))
    }

    /// Queues a buffer again, or a large one instead: large frames have begun to come, and
    /// one that fits into one buffer need not be merged.
    fn replace(&mut self, buffer: Buffer) -> Result<(), Violation> {
        let large = (self.replaceable > 0 && buffer.len() < LARGE)
            .then(|| allocate(LARGE))
            .flatten();
        let Some(large) = large else {
            return self.offer(buffer);
        };
        self.replaceable -= 1;
        self.offer(large)
    }

    /// Takes a frame's buffer back.
    pub(super) fn recycle(&mut self, frame: ReceivedFrame) -> Result<(), Violation> {
        if frame.merged {
            self.spare = Some(frame.buffer);
            return Ok(());
        }
        self.offer(frame.buffer)
    }
}

/// Copies a part of a frame behind the first `end` bytes, if there is a place for it.
/// Returns where it ends.
fn append(merged: &mut Option<Buffer>, end: usize, part: &[u8]) -> Result<usize, Violation> {
    let range = end..end + part.len();
    if range.end > LARGE {
        return Err(Violation::TooLong);
    }
    if let Some(merged) = merged {
        merged[range.clone()].copy_from_slice(part);
    }
    Ok(range.end)
}

/// A received frame in one of the NIC's buffers.
pub struct ReceivedFrame {
    buffer: Buffer,
    start: usize,
    end: usize,
    verified: bool,
    /// True if the buffer is not one of the queue's.
    merged: bool,
}

impl AsRef<[u8]> for ReceivedFrame {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }
}

impl Frame for ReceivedFrame {
    fn is_verified(&self) -> bool {
        self.verified
    }

    fn remove_tag(&mut self) {
        self.start += close_gap(&mut self.buffer[self.start..self.end]);
    }
}
