use core::fmt;

/// Why a store did not do what it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// There is nothing of that key.
    NotFound,
    /// A value is where the key needs a dictionary.
    DictionaryExpected,
    /// A dictionary is where the key needs a value.
    ValueExpected,
    /// The renamed entry would take the place of something else.
    AlreadyPresent,
    /// A dictionary cannot be moved into itself.
    IntoItself,
    /// The store has no room left for that.
    NoSpace,
    /// The store cannot be changed.
    ReadOnly,
    /// A value or a batch is larger than what the caller or the store allows at once.
    TooLarge,
    /// There is no memory for it now.
    NoMemory,
    /// The store does not take a part of that key as a name.
    BadName,
    /// The store is damaged there.
    Damaged,
    /// The store was not formatted, or by something else.
    NotAStore,
    /// The disk has no sectors.
    NoSectors,
    /// The disk is not one that the store can lie on.
    Unsupported,
    /// An earlier error left it open what is on the disk: the store has to be opened again.
    Closed,
    /// The disk failed.
    Disk(fata_block::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "there is no such key",
            Self::DictionaryExpected => "a part of the key is a value, so nothing can lie under it",
            Self::ValueExpected => "the key is a dictionary; name a value in it",
            Self::AlreadyPresent => "the new name is taken; remove what has it first",
            Self::IntoItself => "a dictionary cannot be moved into itself; choose another name",
            Self::NoSpace => "the store is full; remove something or use a larger one",
            Self::ReadOnly => "the store is read-only; open it writable",
            Self::TooLarge => "too much at once; take it in ranges",
            Self::NoMemory => "there is no memory for that now; try again later",
            Self::BadName => "the store cannot hold such a name; choose a plainer one",
            Self::Damaged => "the store is damaged; check it, then restore a copy",
            Self::NotAStore => {
                "there is no store here; attach the disk that has one, or format a blank one"
            }
            Self::NoSectors => "the disk has no sectors; attach one that is not empty",
            Self::Unsupported => "the store is of another version, or its disk has another size",
            Self::Closed => "the store ended with an earlier error; open it again",
            Self::Disk(error) => return error.fmt(f),
        })
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Disk(error) => Some(error),
            _ => None,
        }
    }
}

impl From<fata_block::Error> for Error {
    fn from(error: fata_block::Error) -> Self {
        Self::Disk(error)
    }
}
