//! A request as the device sees it (virtio 1.2, section 5.2.6).

use crate::Error;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;
use core::ptr::NonNull;
use fata_virtio::{Aligned, Buffer, Segment};

/// The unit of places on the disk, whatever the size of its sectors.
pub(super) const UNIT: usize = 512;

/// The kind of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Kind {
    Read = 0,
    Write = 1,
    Flush = 4,
    Identify = 8,
    Discard = 11,
    WriteZeroes = 13,
}

/// How the device has ended a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Done,
    Unsupported,
    Failed,
}

/// Where the parts of [`Frame`] are.
const HEADER: usize = 16;
const STATUS: usize = 16;

/// The header, and behind it the byte for the status.
pub(super) type Frame = Box<Aligned<64>>;

/// The content of the status until the device writes it, which it must.
const UNWRITTEN: u8 = 0xff;

/// A request with its data, for the device's queue.
pub(super) struct Request {
    /// Where the driver keeps what it knows of the request.
    pub(super) key: usize,
    kind: Kind,
    frame: Frame,
    data: Vec<u8>,
    range: Range<usize>,
}

impl Request {
    /// A request for what is at the 512 bytes `place`, with a part of `data`.
    pub(super) fn new(
        kind: Kind,
        place: u64,
        data: Vec<u8>,
        range: Range<usize>,
        mut frame: Frame,
    ) -> Self {
        frame[..4].copy_from_slice(&(kind as u32).to_le_bytes());
        frame[4..8].fill(0);
        frame[8..HEADER].copy_from_slice(&place.to_le_bytes());
        frame[STATUS] = UNWRITTEN;
        Self {
            key: 0,
            kind,
            frame,
            data,
            range,
        }
    }

    /// Bytes of data that it reads or writes.
    pub(super) fn length(&self) -> usize {
        self.range.len()
    }

    /// The data and the frame, and how the device has ended the request.
    pub(super) fn into_parts(self) -> (Status, Vec<u8>, Frame) {
        let status = match self.frame[STATUS] {
            0 => Status::Done,
            2 => Status::Unsupported,
            _ => Status::Failed,
        };
        (status, self.data, self.frame)
    }
}

// SAFETY: frame and data are blocks of the heap that belong to the request alone and do not
// move with it; both are initialised, and the range is cut to what is there. The parts of the
// frame do not overlap.
unsafe impl Buffer for Request {
    const SEGMENTS: usize = 3;

    #[inline(always)]
    fn describe(&mut self, add: &mut impl FnMut(Segment)) {
        let frame = &mut **self.frame;
        let (header, rest) = frame.split_at_mut(HEADER);
        let data = self.data.get_mut(self.range.clone()).unwrap_or_default();
        add(Segment::readable(NonNull::from(header)));
        match self.kind {
            Kind::Read | Kind::Identify => add(Segment::writable(NonNull::from(data))),
            _ => add(Segment::readable(NonNull::from(data))),
        }
        add(Segment::writable(NonNull::from(&mut rest[..1])));
    }
}

/// The place in a discard or a request for zeroes (section 5.2.6).
pub(super) fn range_segment(place: u64, count: u32) -> Vec<u8> {
    let mut segment = Vec::with_capacity(16);
    segment.extend(place.to_le_bytes());
    segment.extend(count.to_le_bytes());
    segment.extend([0; 4]);
    segment
}

impl Status {
    /// The error that a caller sees.
    pub(super) fn into_result(self) -> Result<(), Error> {
        match self {
            Self::Done => Ok(()),
            Self::Unsupported | Self::Failed => Err(Error::Io),
        }
    }
}
