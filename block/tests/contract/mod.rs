//! The contents that the contract of a disk allows its sectors, now and after a power cut.

use std::ops::Range;

/// The number that fills a sector; `None` if it was discarded, and may be full of anything.
pub type Content = Option<u32>;

struct Version {
    write: u64,
    content: Content,
    /// It was acknowledged, so nothing older is read any more.
    is_done: bool,
    /// How many writes had ended when it had.
    ended: Option<u64>,
    /// A flush has failed since it began, so no later one covers it.
    is_lost: bool,
}

struct Sector {
    durable: Content,
    versions: Vec<Version>,
}

/// Sectors whose writers wait for one write before they begin the next one there.
pub struct Model {
    sectors: Vec<Sector>,
    begun: u64,
    ended: u64,
}

impl Model {
    /// A disk that may be full of anything.
    pub fn new(sectors: u64) -> Self {
        let sector = |_| Sector {
            durable: None,
            versions: Vec::new(),
        };
        Self {
            sectors: (0..sectors).map(sector).collect(),
            begun: 0,
            ended: 0,
        }
    }

    /// A write begins; the number is for its end.
    pub fn begin(&mut self, sectors: Range<u64>, content: Content) -> u64 {
        self.begun += 1;
        for sector in sectors {
            self.sectors[sector as usize].versions.push(Version {
                write: self.begun,
                content,
                is_done: false,
                ended: None,
                is_lost: false,
            });
        }
        self.begun
    }

    /// A write has succeeded. One that fails or is dropped may happen all the same.
    pub fn succeed(&mut self, write: u64) {
        self.ended += 1;
        let versions = self.sectors.iter_mut().flat_map(|one| &mut one.versions);
        for version in versions.filter(|version| version.write == write) {
            version.is_done = true;
            version.ended = Some(self.ended);
        }
    }

    /// A flush begins; the number is for its end.
    pub fn begin_flush(&self) -> u64 {
        self.ended
    }

    pub fn end_flush(&mut self, ended: u64, is_ok: bool) {
        for sector in &mut self.sectors {
            if !is_ok {
                sector
                    .versions
                    .iter_mut()
                    .for_each(|one| one.is_lost = true);
                continue;
            }
            let covered =
                |one: &Version| !one.is_lost && one.ended.is_some_and(|number| number <= ended);
            if let Some(last) = sector.versions.iter().rposition(covered) {
                sector.durable = sector.versions[last].content;
                sector.versions.drain(..=last);
            }
        }
    }

    /// Returns whether a sector may read so now.
    pub fn may_read(&self, sector: u64, bytes: &[u8]) -> bool {
        let sector = &self.sectors[sector as usize];
        for version in sector.versions.iter().rev() {
            if fits(version.content, bytes) {
                return true;
            }
            if version.is_done {
                return false;
            }
        }
        fits(sector.durable, bytes)
    }

    /// Returns whether a sector may read so after a cut; it stays so from then on.
    pub fn may_remain(&mut self, sector: u64, bytes: &[u8]) -> bool {
        let sector = &mut self.sectors[sector as usize];
        let versions = sector.versions.drain(..).map(|version| version.content);
        let is_possible = versions
            .chain([sector.durable])
            .any(|content| fits(content, bytes));
        // Content that is not full of one number was there before all else.
        let content = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        sector.durable = Some(content).filter(|_| fits(Some(content), bytes));
        is_possible
    }
}

/// A sector that is full of something.
pub fn filled(content: u32, length: usize) -> Vec<u8> {
    content.to_le_bytes().repeat(length / 4)
}

fn fits(content: Content, bytes: &[u8]) -> bool {
    content.is_none_or(|content| {
        let content = content.to_le_bytes();
        bytes.chunks(4).all(|part| part == content)
    })
}
