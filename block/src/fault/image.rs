use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

/// Tells writes apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WriteId(pub(super) u64);

/// One of the contents of a sector since it was last durable.
#[derive(Debug)]
struct Version {
    bytes: Vec<u8>,
    write: WriteId,
    /// How many writes had ended when this one had, itself included; `None` for those that are
    /// under way, were dropped, or were in a flush that failed: no flush covers them.
    ended: Option<u64>,
}

/// The disk's content, and what it may become.
#[derive(Debug)]
pub(super) struct Image {
    sector_size: usize,
    durable: Vec<u8>,
    /// By sector, the oldest first.
    versions: BTreeMap<u64, Vec<Version>>,
}

impl Image {
    pub(super) fn new(sector_size: usize, durable: Vec<u8>) -> Self {
        Self {
            sector_size,
            durable,
            versions: BTreeMap::new(),
        }
    }

    /// The content that a read of the sector returns.
    pub(super) fn sector(&self, sector: u64) -> &[u8] {
        match self.versions.get(&sector).and_then(|list| list.last()) {
            Some(version) => &version.bytes,
            None => &self.durable[sector as usize * self.sector_size..][..self.sector_size],
        }
    }

    pub(super) fn store(&mut self, write: WriteId, sector: u64, bytes: Vec<u8>) {
        self.versions.entry(sector).or_default().push(Version {
            bytes,
            write,
            ended: None,
        });
    }

    /// The write, which changed these sectors, has ended as the one with that number.
    pub(super) fn end_write(&mut self, write: WriteId, sector: u64, count: u64, number: u64) {
        for (_, list) in self.versions.range_mut(sector..sector + count) {
            for version in list.iter_mut().filter(|version| version.write == write) {
                version.ended = Some(number);
            }
        }
    }

    /// Makes durable what the first `ended` writes to end have written.
    pub(super) fn flush(&mut self, ended: u64) {
        let size = self.sector_size;
        let durable = &mut self.durable;
        self.versions.retain(|sector, list| {
            let covered = |version: &Version| version.ended.is_some_and(|number| number <= ended);
            if let Some(last) = list.iter().rposition(covered) {
                durable[*sector as usize * size..][..size].copy_from_slice(&list[last].bytes);
                list.drain(..=last);
            }
            !list.is_empty()
        });
    }

    /// Lets some of what is not durable never be so, whatever later flushes say.
    pub(super) fn fail_flush(&mut self, random: &mut ChaCha8Rng) {
        for list in self.versions.values_mut() {
            if chance(random, 2) {
                for version in list {
                    version.ended = None;
                }
            }
        }
    }

    /// The content that a power cut leaves.
    pub(super) fn cut(&self, random: &mut ChaCha8Rng) -> Vec<u8> {
        // Of all the sectors next to none, next to all, or any part reach the disk.
        let (kept, of) = [(0, 1), (1, 16), (1, 2), (15, 16), (1, 1)][below(random, 5)];
        let mut bytes = self.durable.clone();
        for (sector, list) in &self.versions {
            if below(random, of) >= kept {
                continue;
            }
            // The last version is as likely as all the others together.
            let index = if chance(random, 2) {
                list.len() - 1
            } else {
                below(random, list.len())
            };
            bytes[*sector as usize * self.sector_size..][..self.sector_size]
                .copy_from_slice(&list[index].bytes);
        }
        bytes
    }

    /// The content that a read of all sectors returns.
    pub(super) fn contents(&self) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for sector in self.versions.keys() {
            bytes[*sector as usize * self.sector_size..][..self.sector_size]
                .copy_from_slice(self.sector(*sector));
        }
        bytes
    }
}

/// A number below `bound`.
pub(super) fn below(random: &mut ChaCha8Rng, bound: usize) -> usize {
    (random.next_u64() % bound as u64) as usize
}

/// True once in `bound` times.
pub(super) fn chance(random: &mut ChaCha8Rng, bound: u32) -> bool {
    below(random, bound as usize) == 0
}
