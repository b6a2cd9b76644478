//! The transmit queue.

use super::buffers::{Buffer, LARGE, Pool, SMALL};
use super::error::Violation;
use crate::virtio_net_header as header;
use crate::{Offload, TransmitError};
use fata_virtio::{QueueError, Readable, SplitQueue};

pub(super) struct Sender {
    pub(super) queue: SplitQueue<Readable<Buffer>>,
    header: usize,
    small: Pool,
    /// A quarter of the small buffers, which answers to strangers do not take.
    reserve: usize,
    /// Buffers for segments that the device cuts, if it does.
    large: Option<Pool>,
    /// True if somebody found the queue full, or crowded.
    pub(super) wants_room: bool,
}

impl Sender {
    /// At most `large` of the queue's buffers are large ones.
    pub(super) fn new(queue: SplitQueue<Readable<Buffer>>, header: usize, large: u16) -> Self {
        let small = queue.size() - large;
        Self {
            small: Pool::new(small, SMALL),
            reserve: usize::from(small / 4),
            large: (large > 0).then(|| Pool::new(large, LARGE)),
            queue,
            header,
            wants_room: false,
        }
    }

    /// Tells whether there is room for a frame, whatever its length.
    pub(super) fn has_room(&mut self) -> Result<bool, Violation> {
        if self.lacks_buffers() {
            self.reclaim()?;
        }
        self.wants_room = self.lacks_buffers();
        Ok(!self.wants_room)
    }

    /// Tells whether hardly any small buffers are left.
    pub(super) fn is_crowded(&mut self) -> Result<bool, Violation> {
        if self.small.left() < self.reserve {
            self.reclaim()?;
        }
        self.wants_room = self.small.left() < self.reserve;
        Ok(self.wants_room)
    }

    fn lacks_buffers(&self) -> bool {
        self.small.is_empty() || self.large.as_ref().is_some_and(Pool::is_empty)
    }

    /// Takes the buffers back that the device has sent.
    fn reclaim(&mut self) -> Result<(), QueueError> {
        while let Some(used) = self.queue.pop()? {
            self.put(used.buffer.into_memory());
        }
        Ok(())
    }

    fn put(&mut self, buffer: Buffer) {
        match &mut self.large {
            Some(large) if buffer.len() == LARGE => large.put(buffer),
            _ => self.small.put(buffer),
        }
    }

    /// Queues a frame of `length` bytes; longer than `longest` only if it is to be cut.
    pub(super) fn send<R>(
        &mut self,
        length: usize,
        longest: usize,
        fill: impl FnOnce(&mut [u8]) -> (R, Offload),
    ) -> Result<Result<R, TransmitError>, Violation> {
        let pool = if length <= longest {
            Some(&mut self.small)
        } else {
            self.large.as_mut()
        };
        let Some(mut buffer) = pool.and_then(Pool::take) else {
            return Ok(Err(TransmitError::Full));
        };
        let end = self.header + length;
        let (header, frame) = buffer[..end].split_at_mut(self.header);
        let (result, offload) = fill(frame);
        header::encode(offload, header);
        if length > longest && !matches!(offload, Offload::Segments { .. }) {
            self.put(buffer);
            return Ok(Err(TransmitError::TooLong));
        }
        // There are no more buffers than descriptors.
        let added = self.queue.add(Readable::new(buffer, end));
        added.map_err(|rejected| rejected.reason)?;
        Ok(Ok(result))
    }
}
