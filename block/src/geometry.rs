use crate::Error;

/// The size and rights of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Bytes of a sector, the unit of all requests: a power of two from 512 on. Written by
    /// itself, a sector is never half old and half new.
    pub sector_size: usize,
    /// How many sectors the disk has.
    pub sectors: u64,
    /// The disk refuses to be written.
    pub read_only: bool,
}

impl Geometry {
    /// The disk's size in bytes.
    pub fn bytes(&self) -> u64 {
        self.sectors.saturating_mul(self.sector_size as u64)
    }

    /// How many sectors a buffer of `length` bytes holds.
    ///
    /// # Errors
    /// [`Error::Misaligned`] if they are not whole ones.
    pub fn sectors_in(&self, length: usize) -> Result<u64, Error> {
        if length.is_multiple_of(self.sector_size) {
            Ok((length / self.sector_size) as u64)
        } else {
            Err(Error::Misaligned)
        }
    }

    /// Checks that `count` sectors from `sector` on are there.
    ///
    /// # Errors
    /// [`Error::OutOfRange`].
    pub fn check_range(&self, sector: u64, count: u64) -> Result<(), Error> {
        match sector.checked_add(count) {
            Some(end) if end <= self.sectors => Ok(()),
            _ => Err(Error::OutOfRange),
        }
    }

    /// Checks a request to read `length` bytes from `sector` on.
    ///
    /// # Errors
    /// [`Error::Misaligned`], [`Error::OutOfRange`].
    pub fn check_read(&self, sector: u64, length: usize) -> Result<(), Error> {
        self.check_range(sector, self.sectors_in(length)?)
    }

    /// Checks a request to write `length` bytes from `sector` on.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], [`Error::Misaligned`], [`Error::OutOfRange`].
    pub fn check_write(&self, sector: u64, length: usize) -> Result<(), Error> {
        self.check_change(sector, self.sectors_in(length)?)
    }

    /// Checks a request to change `count` sectors from `sector` on.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], [`Error::OutOfRange`].
    pub fn check_change(&self, sector: u64, count: u64) -> Result<(), Error> {
        if self.read_only {
            return Err(Error::ReadOnly);
        }
        self.check_range(sector, count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISK: Geometry = Geometry {
        sector_size: 512,
        sectors: 10,
        read_only: false,
    };

    #[test]
    fn requests_stay_within_the_disk() {
        assert_eq!(DISK.check_read(0, 5120), Ok(()));
        assert_eq!(DISK.check_read(10, 0), Ok(()));
        assert_eq!(DISK.check_write(9, 1024), Err(Error::OutOfRange));
        assert_eq!(DISK.check_read(u64::MAX, 512), Err(Error::OutOfRange));
        assert_eq!(DISK.check_read(0, 100), Err(Error::Misaligned));
    }

    #[test]
    fn a_read_only_disk_is_not_changed() {
        let disk = Geometry {
            read_only: true,
            ..DISK
        };
        assert_eq!(disk.check_read(0, 512), Ok(()));
        assert_eq!(disk.check_write(0, 512), Err(Error::ReadOnly));
        assert_eq!(disk.check_change(0, 1), Err(Error::ReadOnly));
    }
}
