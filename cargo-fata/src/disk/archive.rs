//! An archive's file as a disk.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use fata_block::{Block, Error, Geometry};

/// The blocks of an archive.
const SECTOR: usize = 512;

/// A file of any length, which zeroes fill up to whole sectors. It is only read.
pub struct ArchiveFile {
    file: File,
    sectors: u64,
}

impl ArchiveFile {
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let sectors = file.metadata()?.len().div_ceil(SECTOR as u64);
        Ok(Self { file, sectors })
    }
}

impl Block for ArchiveFile {
    fn geometry(&self) -> Geometry {
        Geometry {
            sector_size: SECTOR,
            sectors: self.sectors,
            read_only: true,
        }
    }

    async fn read(&self, sector: u64, mut buffer: Vec<u8>) -> Result<Vec<u8>, Error> {
        self.geometry().check_read(sector, buffer.len())?;
        let mut done = 0;
        while done < buffer.len() {
            let place = sector * SECTOR as u64 + done as u64;
            match self.file.read_at(&mut buffer[done..], place) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Error::Io),
            }
        }
        buffer[done..].fill(0);
        Ok(buffer)
    }

    async fn write(&self, _: u64, _: Vec<u8>) -> Result<Vec<u8>, Error> {
        Err(Error::ReadOnly)
    }

    async fn flush(&self) -> Result<(), Error> {
        Ok(())
    }

    async fn discard(&self, _: u64, _: u64) -> Result<(), Error> {
        Err(Error::ReadOnly)
    }

    async fn write_zeroes(&self, _: u64, _: u64) -> Result<(), Error> {
        Err(Error::ReadOnly)
    }
}
