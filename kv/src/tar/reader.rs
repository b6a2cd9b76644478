//! Bytes of a disk, at any place.

use super::header::BLOCK;
use crate::Error;
use alloc::vec;
use alloc::vec::Vec;
use fata_block::Block;

/// Bytes that are read at once, at most.
const AT_ONCE: usize = 64 * 1024;

pub(super) struct Reader<B> {
    disk: B,
}

impl<B: Block> Reader<B> {
    pub(super) fn new(disk: B) -> Self {
        Self { disk }
    }

    /// Where the disk ends, in bytes.
    pub(super) fn end(&self) -> u64 {
        self.disk.geometry().bytes()
    }

    /// Reads whole sectors that have the `length` bytes from `place` on, and says where those
    /// begin in them.
    async fn sectors(&self, place: u64, length: usize) -> Result<(Vec<u8>, usize), Error> {
        let size = self.disk.geometry().sector_size;
        let first = place / size as u64;
        let start = (place % size as u64) as usize;
        let buffer = vec![0; (start + length).next_multiple_of(size)];
        Ok((self.disk.read(first, buffer).await?, start))
    }

    /// Fills `buffer` with what is at `place`.
    pub(super) async fn read(&self, place: u64, buffer: &mut [u8]) -> Result<(), Error> {
        for (index, part) in buffer.chunks_mut(AT_ONCE).enumerate() {
            let place = place + (index * AT_ONCE) as u64;
            let (bytes, start) = self.sectors(place, part.len()).await?;
            part.copy_from_slice(&bytes[start..start + part.len()]);
        }
        Ok(())
    }

    pub(super) fn window(&self) -> Window {
        Window {
            bytes: Vec::new(),
            place: 0,
        }
    }
}

/// The bytes read last, of which the next are likely to be a part.
pub(super) struct Window {
    bytes: Vec<u8>,
    place: u64,
}

impl Window {
    /// The block at `place`.
    ///
    /// # Errors
    /// [`Error::Damaged`] if the disk ends before it does.
    pub(super) async fn block<B: Block>(
        &mut self,
        reader: &Reader<B>,
        place: u64,
    ) -> Result<&[u8], Error> {
        if place
            .checked_add(BLOCK)
            .is_none_or(|end| end > reader.end())
        {
            return Err(Error::Damaged);
        }
        self.get(reader, place, BLOCK as usize).await
    }

    /// The `length` bytes at `place`, which are on the disk.
    pub(super) async fn get<B: Block>(
        &mut self,
        reader: &Reader<B>,
        place: u64,
        length: usize,
    ) -> Result<&[u8], Error> {
        let known = place
            .checked_sub(self.place)
            .is_some_and(|start| start + length as u64 <= self.bytes.len() as u64);
        if !known {
            let left = usize::try_from(reader.end() - place).unwrap_or(usize::MAX);
            let (bytes, start) = reader.sectors(place, length.max(AT_ONCE.min(left))).await?;
            (self.bytes, self.place) = (bytes, place - start as u64);
        }
        let start = (place - self.place) as usize;
        Ok(&self.bytes[start..start + length])
    }
}
