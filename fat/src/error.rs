use core::fmt;
use fata_kv::Error;
use hadris_fs::ErrorKind;

/// Why the disk that the file system sees failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The disk below it did.
    Disk(fata_block::Error),
    /// The request changes more than memory was set apart for.
    TooMany,
    /// The request reads more than anything on a sound volume needs.
    Endless,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(error) => error.fmt(f),
            Self::TooMany => Error::TooLarge.fmt(f),
            Self::Endless => Error::Damaged.fmt(f),
        }
    }
}

impl core::error::Error for Fault {}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Disk(error) => Self::Disk(error),
            Fault::TooMany => Self::TooLarge,
            Fault::Endless => Self::Damaged,
        }
    }
}

/// Translates an error of the file system into one of a store.
pub(crate) fn translate(error: hadris_io::Error<Fault>) -> Error {
    if let Some(fault) = error.device_error() {
        return (*fault).into();
    }
    if is_bad_name(&error) {
        return Error::BadName;
    }
    match error.kind() {
        ErrorKind::NotRecognized => Error::NotAStore,
        ErrorKind::NotFound => Error::NotFound,
        ErrorKind::AlreadyExists => Error::AlreadyPresent,
        ErrorKind::NotADirectory => Error::DictionaryExpected,
        ErrorKind::IsADirectory => Error::ValueExpected,
        ErrorKind::NoSpace | ErrorKind::FileTooLarge => Error::NoSpace,
        ErrorKind::ReadOnly => Error::ReadOnly,
        ErrorKind::Unsupported => Error::Unsupported,
        ErrorKind::LimitExceeded => Error::TooLarge,
        // `Corrupt`, and what only a damaged volume can lead to.
        _ => Error::Damaged,
    }
}

/// Tells whether nothing can have that name. A request beyond the disk is invalid, too, but has a
/// place.
pub(crate) fn is_bad_name(error: &hadris_io::Error<Fault>) -> bool {
    match error.kind() {
        ErrorKind::NameTooLong => true,
        ErrorKind::InvalidInput => error.location().is_none(),
        _ => false,
    }
}
