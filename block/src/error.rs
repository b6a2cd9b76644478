use core::fmt;

/// Why a disk did not do what it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The request reaches beyond the end of the disk.
    OutOfRange,
    /// The disk cannot be written.
    ReadOnly,
    /// The buffer is not a whole number of sectors.
    Misaligned,
    /// There is no room left behind the disk: it is larger than what its host can store.
    Full,
    /// The read data differ from those once written.
    Corrupt,
    /// The device failed to do it; it may do the next thing.
    Io,
    /// The device is gone, or is not used any more as it broke the rules.
    Gone,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfRange => "beyond the end of the disk; use a larger disk",
            Self::ReadOnly => "the disk is read-only; attach it writable",
            Self::Misaligned => "the buffer is not a whole number of the disk's sectors",
            Self::Full => "the host has no room left for the disk; free some there",
            Self::Corrupt => "the disk returned other data than was written; restore a copy",
            Self::Io => "the disk reported an input or output error; check the device",
            Self::Gone => "the disk is gone; attach it again and restart",
        })
    }
}

impl core::error::Error for Error {}
