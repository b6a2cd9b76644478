use core::fmt;

/// Why the queue did not do what it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The disk has no room for the item in one piece, or the index has no place for it.
    Full,
    /// An upload ended before its announced length, or went beyond it.
    WrongSize {
        /// The length that was announced, in bytes.
        announced: u64,
        /// The length of what came, in bytes.
        received: u64,
    },
    /// Nothing can be removed while a download waits for an item.
    Waiting,
    /// The item on the disk is not the one that was uploaded.
    Corrupt,
    /// The disk failed to make data durable while the upload was under way: it may be lost.
    Lost,
    /// The disk failed.
    Disk(fata_block::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the queue is full; remove items or use a larger disk"),
            Self::WrongSize {
                announced,
                received,
            } => write!(f, "{announced} bytes were announced, {received} came"),
            Self::Waiting => f.write_str("a download waits for an item; end it first"),
            Self::Corrupt => {
                f.write_str("an item is not what was uploaded; remove it and check the disk")
            }
            Self::Lost => f.write_str("the disk failed during the upload; upload it again"),
            Self::Disk(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for Error {}

impl From<fata_block::Error> for Error {
    fn from(error: fata_block::Error) -> Self {
        Self::Disk(error)
    }
}

/// Why a disk cannot be used as a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// The disk failed.
    Disk(fata_block::Error),
    /// The disk is too small; it must have this many bytes.
    TooSmall(u64),
    /// The disk is neither a queue nor blank.
    Foreign,
    /// The disk was a queue, and its index is damaged; here is what is wrong.
    Damaged(&'static str),
    /// The queue was made on a disk with sectors of another size, in bytes.
    SectorSize(u32),
    /// The queue was made on a disk with more sectors, this many.
    Shrunk(u64),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(error) => write!(f, "{error}"),
            Self::TooSmall(bytes) => {
                write!(
                    f,
                    "the disk is too small for a queue; make it {bytes} bytes at least"
                )
            }
            Self::Foreign => f.write_str(
                "the disk holds something else than a queue; attach another one, or fill it with \
                 zeroes",
            ),
            Self::Damaged(what) => write!(
                f,
                "the queue on the disk is damaged: {what}; restore a copy of the disk"
            ),
            Self::SectorSize(bytes) => write!(
                f,
                "the queue was made on a disk with sectors of {bytes} bytes; attach it as such"
            ),
            Self::Shrunk(sectors) => write!(
                f,
                "the disk was larger when the queue was made; it needs {sectors} sectors"
            ),
        }
    }
}

impl core::error::Error for OpenError {}

impl From<fata_block::Error> for OpenError {
    fn from(error: fata_block::Error) -> Self {
        Self::Disk(error)
    }
}
