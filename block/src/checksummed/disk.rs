//! The disk beneath, as data and groups of sums.

use super::layout::Layout;
use super::sums::{Group, Sums, sum};
use crate::{Block, Cache, Error, runs};
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;
use fata_task::{all, join};

/// Bytes of sums that are kept in memory for reads: those of 16 MiB of data with sectors of 512
/// bytes, of 128 MiB with 4,096.
const KEPT: usize = 256 * 1024;

#[derive(Debug)]
pub(super) struct Disk<B> {
    pub(super) layout: Layout,
    pub(super) data: Rc<B>,
    sums: Cache<Rc<B>>,
}

impl<B: Block> Disk<B> {
    pub(super) fn new(disk: B, layout: Layout) -> Self {
        let data = Rc::new(disk);
        Self {
            layout,
            sums: Cache::new(Rc::clone(&data), KEPT),
            data,
        }
    }

    /// The groups of some sectors, of which there is at least one.
    pub(super) fn groups_of(&self, sectors: &Range<u64>) -> Range<u64> {
        self.layout.group(sectors.start).0..self.layout.group(sectors.end - 1).0 + 1
    }

    pub(super) async fn read_groups(&self, groups: Range<u64>) -> Result<Vec<Group>, Error> {
        let place = self.layout.sums_place(groups.start);
        let length = (groups.end - groups.start) as usize * self.layout.sector_size();
        let bytes = self.sums.read(place, vec![0; length]).await?;
        if let Some(groups) = self.decode(place, &bytes).collect() {
            return Ok(groups);
        }
        // It may have been damaged on its way only, and be kept so in memory.
        let bytes = self.data.read(place, bytes).await?;
        let lost = || Group::new(self.layout.per_group(), Sums::LOST);
        let groups = self.decode(place, &bytes);
        Ok(groups.map(|group| group.unwrap_or_else(lost)).collect())
    }

    fn decode(&self, place: u64, bytes: &[u8]) -> impl Iterator<Item = Option<Group>> {
        let sectors = (place..).zip(bytes.chunks(self.layout.sector_size()));
        sectors.map(|(place, bytes)| Group::decode(bytes, place))
    }

    /// Writes groups, those that follow each other at once.
    pub(super) async fn write_groups<'a>(
        &self,
        groups: impl Iterator<Item = (&'a u64, &'a Group)>,
    ) -> Result<(), Error> {
        let sectors = groups.map(|(number, group)| {
            let place = self.layout.sums_place(*number);
            let mut bytes = Vec::with_capacity(self.layout.sector_size());
            group.encode(place, &mut bytes);
            (place, bytes)
        });
        let runs = runs(sectors, usize::MAX).into_iter();
        all(runs.map(async |(place, run)| self.sums.write(place, run).await.map(drop))).await
    }

    /// Reads sectors beside their sums, and tells whether these accept them, as they may not
    /// while something is being written.
    pub(super) async fn read(
        &self,
        sector: u64,
        buffer: Vec<u8>,
    ) -> Result<(Vec<u8>, bool), Error> {
        let size = self.layout.sector_size();
        let sectors = sector..sector + (buffer.len() / size) as u64;
        let groups = self.groups_of(&sectors);
        let first = groups.start;
        let data = self.data.read(self.layout.data_place(sector), buffer);
        let (groups, bytes) = join(self.read_groups(groups), data).await;
        let (groups, bytes) = (groups?, bytes?);
        let is_sound = sectors.zip(bytes.chunks(size)).all(|(sector, bytes)| {
            let (group, index) = self.layout.group(sector);
            groups[(group - first) as usize].sums[index].accepts(sum(sector, bytes))
        });
        Ok((bytes, is_sound))
    }
}
