//! Entries of an archive: files, and things that are left out.

use super::sparse::Map;
use alloc::rc::Rc;
use core::fmt;

/// Where a file is.
#[derive(Clone)]
pub(super) struct File {
    /// In bytes from the beginning of the disk.
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) modified: u64,
    /// Where its bytes are, if it has holes.
    pub(super) map: Option<Rc<Map>>,
}

/// Why something in an archive is not among its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeftOut {
    /// It is a symbolic link, a device or a pipe.
    NoFile,
    /// Its name is no key.
    Name,
    /// A file is where its name needs a folder, or the other way around.
    Place,
    /// It is a hard link to something that is not among the files.
    Link,
    /// It begins in another archive, of several that follow one another.
    Continued,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoFile => "it is no file; put what it leads to into the archive (tar -h)",
            Self::Name => "its name is no key; it needs UTF-8, at most 512 bytes, and no `..`",
            Self::Place => "a file is where another one needs a folder; rename one of them",
            Self::Link => "it is a link to a file that is not there; put that in front of it",
            Self::Continued => "it begins in another volume; make one archive of all volumes",
        })
    }
}
