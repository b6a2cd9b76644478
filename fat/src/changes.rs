//! Sectors that a request has written so far, in memory.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use fata_block::runs;

/// Memory that a sector costs beside its bytes.
const OVERHEAD: usize = 64;

/// Bytes of a request to the disk, at most.
const AT_ONCE: usize = 128 * 1024;

/// Changed sectors, in phases that the disk is to make durable one after another.
#[derive(Debug)]
pub(crate) struct Changes {
    phases: Vec<Phase>,
    /// Bytes that there is still room for.
    room: usize,
}

/// The sectors of a phase.
type Phase = BTreeMap<u64, Box<[u8]>>;

/// The changes are more than memory was set apart for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

impl Changes {
    /// None yet, of at most so many bytes.
    pub(crate) fn new(room: usize) -> Self {
        Self {
            phases: Vec::new(),
            room,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.phases.iter().all(Phase::is_empty)
    }

    /// The bytes of a sector now, if it was changed.
    pub(crate) fn get(&self, sector: u64) -> Option<&[u8]> {
        let mut newest = self.phases.iter().rev();
        newest.find_map(|phase| phase.get(&sector).map(Box::as_ref))
    }

    /// Changes a sector.
    pub(crate) fn put(&mut self, sector: u64, bytes: &[u8]) -> Result<(), TooMany> {
        if self.phases.is_empty() {
            self.phases.push(Phase::new());
        }
        let phase = self.phases.last_mut().expect("there is one");
        if let Some(old) = phase.get_mut(&sector) {
            old.copy_from_slice(bytes);
            return Ok(());
        }
        let cost = bytes.len() + OVERHEAD;
        self.room = self.room.checked_sub(cost).ok_or(TooMany)?;
        phase.insert(sector, bytes.into());
        Ok(())
    }

    /// Begins another phase.
    pub(crate) fn end_phase(&mut self) {
        if self.phases.last().is_some_and(|phase| !phase.is_empty()) {
            self.phases.push(Phase::new());
        }
    }

    /// The phases that have something, each as runs of adjacent sectors: the first of them and
    /// the bytes.
    pub(crate) fn into_phases(self) -> impl Iterator<Item = Vec<(u64, Vec<u8>)>> {
        let phases = self.phases.into_iter();
        phases
            .filter(|phase| !phase.is_empty())
            .map(|phase| runs(phase, AT_ONCE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn sectors_are_joined_within_a_phase() {
        let mut changes = Changes::new(10_000);
        changes.end_phase();
        assert!(changes.is_empty());
        for (sector, byte) in [(8, 8), (7, 0), (7, 7), (3, 3)] {
            changes.put(sector, &[byte; 2]).unwrap();
        }
        changes.end_phase();
        changes.end_phase();
        changes.put(7, &[9; 2]).unwrap();
        assert_eq!(changes.get(7), Some(&[9; 2][..]));
        assert_eq!(changes.get(3), Some(&[3; 2][..]));
        assert_eq!(changes.get(4), None);
        let phases: Vec<_> = changes.into_phases().collect();
        let first = vec![(3, vec![3; 2]), (7, vec![7, 7, 8, 8])];
        assert_eq!(phases, [first, vec![(7, vec![9; 2])]]);
    }

    #[test]
    fn changes_are_bounded() {
        let mut changes = Changes::new(2 * (512 + OVERHEAD));
        assert_eq!(changes.put(1, &[1; 512]), Ok(()));
        assert_eq!(changes.put(2, &[2; 512]), Ok(()));
        assert_eq!(changes.put(2, &[3; 512]), Ok(()));
        assert_eq!(changes.put(3, &[3; 512]), Err(TooMany));
    }

    #[test]
    fn requests_are_not_too_large() {
        let mut changes = Changes::new(1 << 20);
        for sector in 0..300 {
            changes.put(sector, &[1; 512]).unwrap();
        }
        let runs: Vec<_> = changes.into_phases().flatten().collect();
        let lengths = runs.iter().map(|(first, run)| (*first, run.len()));
        let expected = [(0, AT_ONCE), (256, 44 * 512)];
        assert_eq!(lengths.collect::<Vec<_>>(), expected);
    }
}
