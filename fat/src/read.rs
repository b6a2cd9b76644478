//! Reading the bytes of files, without mounting the volume.

use crate::device::Device;
use crate::error::translate;
use crate::places::Found;
use crate::session::Session;
use crate::volume::{LARGEST_SECTOR, Volume};
use alloc::boxed::Box;
use fata_block::Block;
use fata_kv::{Error, Key};
use hadris_fat_raw::io::async_::{read_bytes, run, walk};
use hadris_fat_raw::io::{BlockBuf, ChainPos, Fat};
use hadris_io::ErrorKind;

/// A volume whose geometry is known.
pub(crate) struct Reader<'a, B> {
    volume: &'a Volume<B>,
    fat: &'a Fat,
}

impl<'a, B: Block> Reader<'a, B> {
    pub(crate) fn new(volume: &'a Volume<B>, fat: &'a Fat) -> Self {
        Self { volume, fat }
    }

    /// The file of a key; `None` if that is a directory.
    pub(crate) async fn find(&self, key: &Key) -> Result<Option<Found>, Error> {
        if let Some(found) = self.volume.places.borrow_mut().get(key) {
            return Ok(Some(found));
        }
        // In memory of its own: a mounted volume takes kilobytes, and most reads mount none.
        let found = Box::pin(async { Session::open(self.volume).await?.file(key).await }).await?;
        if let Some(found) = found {
            let clusters = found.metadata.len().div_ceil(self.cluster_size());
            self.volume.places.borrow_mut().keep(key, found, clusters);
        }
        Ok(found)
    }

    fn cluster_size(&self) -> u64 {
        self.fat.geometry().cluster_size().into()
    }

    /// Fills a buffer with a file's bytes from `offset` on, as far as there are some.
    pub(crate) async fn read(
        &self,
        key: &Key,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, Error> {
        let found = self.find(key).await?.ok_or(Error::ValueExpected)?;
        let left = found.metadata.len().saturating_sub(offset);
        let length = usize::try_from(left).unwrap_or(usize::MAX);
        let length = length.min(buffer.len());
        let mut device = Device::new(self.volume);
        let sector_size = self.volume.disk.geometry().sector_size;
        let block = BlockBuf::<[u8; LARGEST_SECTOR]>::new(sector_size);
        let mut block = Box::new(block.ok_or(Error::Unsupported)?);
        let mut done = 0;
        while done < length {
            let place = offset + done as u64;
            let wanted = u32::try_from(place / self.cluster_size());
            let wanted = wanted.map_err(|_| Error::Damaged)?;
            let first = found.first;
            let mut at = self
                .go_to(key, first, wanted, &mut device, &mut *block)
                .await?;
            let within = place % self.cluster_size();
            let start = self.fat.cluster_at(at.cluster()).map_err(damage)? + within;
            // Clusters that follow one another on the disk are read together.
            let some = (self.cluster_size() - within).min((length - done) as u64) as usize;
            let some = run(
                &mut device,
                &mut *block,
                self.fat,
                &mut at,
                some,
                length - done,
            );
            let some = some.await.map_err(translate)?;
            let part = &mut buffer[done..done + some];
            let read = read_bytes(&mut device, &mut *block, start, part).await;
            read.map_err(translate)?;
            self.volume.places.borrow_mut().note(key, at);
            done += some;
        }
        Ok(length)
    }

    /// Walks the chain of a file to a cluster, from the nearest one that is known, and notes others
    /// on the way.
    async fn go_to(
        &self,
        key: &Key,
        first: u32,
        wanted: u32,
        device: &mut Device<'a, B>,
        block: &mut BlockBuf,
    ) -> Result<ChainPos, Error> {
        loop {
            let (nearest, next) = self.volume.places.borrow().nearest(key, wanted);
            let walked = walk(device, block, self.fat, first, nearest, next).await;
            let at = walked.map_err(translate)?;
            if at.index() < next {
                return Err(Error::Damaged);
            }
            if at.index() == wanted {
                return Ok(at);
            }
            self.volume.places.borrow_mut().note(key, at);
        }
    }
}

fn damage(_: ErrorKind) -> Error {
    Error::Damaged
}
