use crate::Geometry;
use core::fmt;
use rustix::fs::{
    FileType, FlockOperation, Mode, OFlags, SeekFrom, flock, fstat, ioctl_blksszget, open, seek,
};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::path::Path;

/// The size of a file's sectors.
const SECTOR: usize = 512;

/// Access to a disk: read only, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It is read only, and so can be shared with others who only read it.
    ReadOnly,
    /// It is read and written, and so belongs to this program alone.
    ReadWrite,
}

/// A file or block device of the host that is to be a disk, opened and locked.
///
/// The lock (`flock`) keeps other programs of Fata from writing the same disk at the same time.
/// It ends with the program.
#[derive(Debug)]
pub struct DiskFile {
    descriptor: OwnedFd,
    geometry: Geometry,
}

impl DiskFile {
    /// Opens the file at `path`. Its sectors have 512 bytes, those of a block device as many as
    /// the device says.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(path: &Path, access: Access) -> Result<Self, OpenError> {
        let (mode, lock) = match access {
            Access::ReadOnly => (OFlags::RDONLY, FlockOperation::NonBlockingLockShared),
            Access::ReadWrite => (OFlags::RDWR, FlockOperation::NonBlockingLockExclusive),
        };
        // A pipe would wait for its other end.
        let flags = mode | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let descriptor = open(path, flags, Mode::empty()).map_err(OpenError::from_host)?;
        let sector_size = sector_size(&descriptor)?;
        flock(&descriptor, lock).map_err(|error| match error {
            Errno::WOULDBLOCK => OpenError::InUse,
            error => OpenError::Host(error),
        })?;
        let bytes = seek(&descriptor, SeekFrom::End(0)).map_err(OpenError::Host)?;
        if bytes == 0 {
            return Err(OpenError::Empty);
        }
        if !bytes.is_multiple_of(sector_size as u64) {
            return Err(OpenError::Uneven { bytes, sector_size });
        }
        let geometry = Geometry {
            sector_size,
            sectors: bytes / sector_size as u64,
            read_only: access == Access::ReadOnly,
        };
        Ok(Self {
            descriptor,
            geometry,
        })
    }

    /// The geometry of the disk to come.
    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    pub(super) fn into_descriptor(self) -> OwnedFd {
        self.descriptor
    }
}

fn sector_size(descriptor: &OwnedFd) -> Result<usize, OpenError> {
    let status = fstat(descriptor).map_err(OpenError::Host)?;
    match FileType::from_raw_mode(status.st_mode) {
        FileType::RegularFile => Ok(SECTOR),
        FileType::BlockDevice => {
            let bytes = ioctl_blksszget(descriptor).map_err(OpenError::Host)? as usize;
            let usual = bytes >= SECTOR && bytes.is_power_of_two();
            usual.then_some(bytes).ok_or(OpenError::NoDisk)
        }
        _ => Err(OpenError::NoDisk),
    }
}

/// Why a file cannot be a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no such file.
    Missing,
    /// The host does not let this program read it, or write it.
    Denied,
    /// It is neither a file nor a block device.
    NoDisk,
    /// Another program uses it.
    InUse,
    /// It has no bytes.
    Empty,
    /// It does not end with a whole sector.
    Uneven {
        /// How long it is.
        bytes: u64,
        /// How long a sector is.
        sector_size: usize,
    },
    /// The host reports something else.
    Host(Errno),
}

impl OpenError {
    fn from_host(error: Errno) -> Self {
        match error {
            Errno::NOENT => Self::Missing,
            Errno::ACCESS | Errno::PERM | Errno::ROFS => Self::Denied,
            Errno::ISDIR | Errno::NXIO => Self::NoDisk,
            error => Self::Host(error),
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str(
                "no such file; make one as large as the disk is to be, as with truncate -s 64M",
            ),
            Self::Denied => {
                f.write_str("access denied; give this user the right, or attach it read-only")
            }
            Self::NoDisk => f.write_str("neither a file nor a block device"),
            Self::InUse => f.write_str("another program uses it; end that first"),
            Self::Empty => f.write_str(
                "the file is empty; make it as large as the disk is to be, as with truncate -s 64M",
            ),
            Self::Uneven { bytes, sector_size } => write!(
                f,
                "{bytes} bytes are no whole number of sectors; make it a multiple of {sector_size}"
            ),
            Self::Host(error) => write!(f, "cannot be opened: {error}"),
        }
    }
}

impl core::error::Error for OpenError {}
