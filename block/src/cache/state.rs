use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use core::ops::Range;

/// How often a [`Cache`](crate::Cache) had what was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// Reads that the cache answered.
    pub hits: u64,
    /// Reads that went to the disk.
    pub misses: u64,
}

/// A request under way.
#[derive(Debug)]
struct Pending {
    sectors: Range<u64>,
    is_change: bool,
    /// A change of the same sectors was under way meanwhile.
    is_stale: bool,
}

#[derive(Debug)]
pub(super) struct State {
    sector_size: usize,
    capacity: usize,
    /// The sectors that are kept, and when they were used.
    kept: BTreeMap<u64, (u64, Box<[u8]>)>,
    /// The same, by when they were used.
    uses: BTreeMap<u64, u64>,
    pending: BTreeMap<u64, Pending>,
    /// Where changes that were dropped may still happen.
    unknown: Range<u64>,
    clock: u64,
    pub(super) counts: CacheCounts,
}

fn overlap(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end
}

impl State {
    pub(super) fn new(bytes: usize, sector_size: usize) -> Self {
        Self {
            sector_size,
            capacity: bytes / sector_size,
            kept: BTreeMap::new(),
            uses: BTreeMap::new(),
            pending: BTreeMap::new(),
            unknown: 0..0,
            clock: 0,
            counts: CacheCounts::default(),
        }
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Fills the buffer if all of it is kept.
    pub(super) fn read(&mut self, sector: u64, buffer: &mut [u8]) -> bool {
        let count = (buffer.len() / self.sector_size) as u64;
        if !(sector..sector + count).all(|sector| self.kept.contains_key(&sector)) {
            self.counts.misses += 1;
            return false;
        }
        self.counts.hits += 1;
        for (sector, part) in (sector..).zip(buffer.chunks_mut(self.sector_size)) {
            let now = self.tick();
            if let Some((used, bytes)) = self.kept.get_mut(&sector) {
                self.uses.remove(used);
                self.uses.insert(now, sector);
                *used = now;
                part.copy_from_slice(bytes);
            }
        }
        true
    }

    fn begin(&mut self, sectors: Range<u64>, is_change: bool) -> u64 {
        let is_stale = overlap(&self.unknown, &sectors)
            || self
                .pending
                .values()
                .any(|other| other.is_change && overlap(&other.sectors, &sectors));
        let id = self.tick();
        let pending = Pending {
            sectors,
            is_change,
            is_stale,
        };
        self.pending.insert(id, pending);
        id
    }

    pub(super) fn begin_read(&mut self, sectors: Range<u64>) -> u64 {
        self.begin(sectors, false)
    }

    pub(super) fn begin_change(&mut self, sectors: Range<u64>) -> u64 {
        for other in self.pending.values_mut() {
            other.is_stale |= overlap(&other.sectors, &sectors);
        }
        while let Some((&sector, _)) = self.kept.range(sectors.clone()).next() {
            self.forget(sector);
        }
        self.begin(sectors, true)
    }

    pub(super) fn end(&mut self, id: u64, is_abandoned: bool) {
        let Some(Pending { sectors, .. }) = self.pending.remove(&id) else {
            return;
        };
        if is_abandoned && !sectors.is_empty() {
            self.unknown = if self.unknown.is_empty() {
                sectors
            } else {
                self.unknown.start.min(sectors.start)..self.unknown.end.max(sectors.end)
            };
            while let Some((&sector, _)) = self.kept.range(self.unknown.clone()).next() {
                self.forget(sector);
            }
            for other in self.pending.values_mut() {
                other.is_stale |= overlap(&other.sectors, &self.unknown);
            }
        }
    }

    /// Keeps what a read returned, unless it may be old.
    pub(super) fn keep(&mut self, id: u64, bytes: &[u8]) {
        let sectors = match self.pending.get(&id) {
            Some(read) if !read.is_stale => read.sectors.clone(),
            _ => return,
        };
        if bytes.len() / self.sector_size > self.capacity {
            return;
        }
        for (sector, part) in sectors.zip(bytes.chunks(self.sector_size)) {
            self.forget(sector);
            if self.kept.len() >= self.capacity
                && let Some((_, &oldest)) = self.uses.first_key_value()
            {
                self.forget(oldest);
            }
            let now = self.tick();
            self.uses.insert(now, sector);
            self.kept.insert(sector, (now, part.into()));
        }
    }

    fn forget(&mut self, sector: u64) {
        if let Some((used, _)) = self.kept.remove(&sector) {
            self.uses.remove(&used);
        }
    }

    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        assert_eq!(self.kept.len(), self.uses.len());
        self.kept.len()
    }
}
