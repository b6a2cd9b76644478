use core::fmt;
use fata_virtio::QueueError;

/// How a device has broken the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Violation {
    Queue(QueueError),
    /// The device wrote less than a header.
    NoHeader(usize),
    /// A frame without buffers.
    NoBuffers,
    /// A frame goes on in buffers that were not returned with the first.
    MissingBuffers,
    /// A frame is longer than any can be.
    TooLong,
}

impl From<QueueError> for Violation {
    fn from(error: QueueError) -> Self {
        Self::Queue(error)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::Queue(error) => return error.fmt(f),
            Self::NoHeader(written) => {
                return write!(f, "it wrote {written} bytes, which is no frame");
            }
            Self::NoBuffers => "it delivered a frame in no buffers",
            Self::MissingBuffers => "it delivered a part of a frame",
            Self::TooLong => "it delivered a frame of more than 64 KiB",
        };
        write!(f, "{what}; the monitor is faulty or hostile")
    }
}
