use crate::{Block, Error, Geometry};
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::ops::Range;

/// A disk in the program's own memory, for tests and for data that need not outlive the program.
#[derive(Debug)]
pub struct RamDisk {
    geometry: Geometry,
    bytes: RefCell<Vec<u8>>,
}

impl RamDisk {
    /// A disk of zeroes.
    ///
    /// # Panics
    /// If the size of a sector is no power of two from 512 on, or memory cannot hold the disk.
    pub fn new(sector_size: usize, sectors: u64) -> Self {
        let bytes = usize::try_from(sectors)
            .ok()
            .and_then(|sectors| sectors.checked_mul(sector_size))
            .expect("the disk must fit into memory");
        Self::from_bytes(sector_size, vec![0; bytes])
    }

    /// A disk of these bytes.
    ///
    /// # Panics
    /// If the size of a sector is no power of two from 512 on, or the last one is not whole.
    pub fn from_bytes(sector_size: usize, bytes: Vec<u8>) -> Self {
        assert!(
            sector_size >= 512 && sector_size.is_power_of_two(),
            "{sector_size} bytes make no sector"
        );
        assert!(
            bytes.len().is_multiple_of(sector_size),
            "{} bytes are no whole number of sectors",
            bytes.len()
        );
        Self {
            geometry: Geometry {
                sector_size,
                sectors: (bytes.len() / sector_size) as u64,
                read_only: false,
            },
            bytes: RefCell::new(bytes),
        }
    }

    /// The same disk, but it cannot be written any more.
    pub fn into_read_only(mut self) -> Self {
        self.geometry.read_only = true;
        self
    }

    /// The disk's content.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes.into_inner()
    }

    /// Where so many bytes from a sector on are, which was checked.
    fn place(&self, sector: u64, length: usize) -> Range<usize> {
        let start = sector as usize * self.geometry.sector_size;
        start..start + length
    }
}

impl Block for RamDisk {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    async fn read(&self, sector: u64, mut buffer: Vec<u8>) -> Result<Vec<u8>, Error> {
        self.geometry.check_read(sector, buffer.len())?;
        let place = self.place(sector, buffer.len());
        buffer.copy_from_slice(&self.bytes.borrow()[place]);
        Ok(buffer)
    }

    async fn write(&self, sector: u64, buffer: Vec<u8>) -> Result<Vec<u8>, Error> {
        self.geometry.check_write(sector, buffer.len())?;
        let place = self.place(sector, buffer.len());
        self.bytes.borrow_mut()[place].copy_from_slice(&buffer);
        Ok(buffer)
    }

    async fn flush(&self) -> Result<(), Error> {
        Ok(())
    }

    async fn discard(&self, sector: u64, count: u64) -> Result<(), Error> {
        self.geometry.check_change(sector, count)
    }

    async fn write_zeroes(&self, sector: u64, count: u64) -> Result<(), Error> {
        self.geometry.check_change(sector, count)?;
        let place = self.place(sector, count as usize * self.geometry.sector_size);
        self.bytes.borrow_mut()[place].fill(0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        fata_task::simulate(|_| async {
            let disk = RamDisk::new(512, 4);
            assert_eq!(disk.write(1, vec![7; 1024]).await, Ok(vec![7; 1024]));
            assert_eq!(disk.flush().await, Ok(()));
            assert_eq!(disk.write_zeroes(2, 1).await, Ok(()));
            let expected = [[0; 512], [7; 512], [0; 512], [0; 512]].concat();
            assert_eq!(disk.read(0, vec![1; 2048]).await, Ok(expected.clone()));
            assert_eq!(disk.into_bytes(), expected);
        });
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        fata_task::simulate(|_| async {
            let disk = RamDisk::new(4096, 2);
            assert_eq!(disk.read(2, vec![0; 4096]).await, Err(Error::OutOfRange));
            assert_eq!(disk.write(0, vec![0; 512]).await, Err(Error::Misaligned));
            assert_eq!(disk.discard(1, 2).await, Err(Error::OutOfRange));
            let disk = disk.into_read_only();
            assert_eq!(disk.write(0, vec![0; 4096]).await, Err(Error::ReadOnly));
            assert_eq!(disk.write_zeroes(0, 1).await, Err(Error::ReadOnly));
            assert_eq!(disk.read(0, vec![1; 4096]).await, Ok(vec![0; 4096]));
        });
    }
}
