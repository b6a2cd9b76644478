use crate::Error;

/// The faults of a [`FaultyDisk`](super::FaultyDisk). By default, nothing.
///
/// A *step* is a read, a flush, or a sector that is written or discarded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// The power is cut after so many steps from now on, also in the midst of a write.
    pub cut_after: Option<u64>,
    /// After so many steps from now on, every request fails with [`Error::Io`].
    pub fail_after: Option<u64>,
    /// One step of so many fails with [`Error::Io`], by chance. A write that fails has
    /// changed all that it was to change, or nothing, or a part of it; what a flush
    /// that fails was to make durable may be lost, whatever later flushes say.
    pub fail_one_in: Option<u32>,
    /// One flush of so many fails like that, by chance, besides.
    pub fail_flush_one_in: Option<u32>,
    /// A sector of which no read succeeds, but fails with [`Error::Io`].
    pub unreadable: Option<u64>,
    /// One read of so many returns a wrong bit, by chance.
    pub damage_one_in: Option<u32>,
    /// How many sectors the host can store. A write beyond them fails with [`Error::Full`];
    /// sectors of which nothing was written yet, and those that were discarded, take no room.
    pub capacity: Option<u64>,
    /// A request takes up to so many polls more than needed, by chance, and so do the sectors
    /// of a write one by one, so that requests overtake each other.
    pub delay: u32,
    /// Flushes report success and do nothing: what a program without them would see.
    pub flush_lies: bool,
}

/// The requests to a [`FaultyDisk`](super::FaultyDisk).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskCounts {
    /// Requests to read.
    pub reads: u64,
    /// Requests to write, also zeroes.
    pub writes: u64,
    /// Requests to flush.
    pub flushes: u64,
    /// Requests to discard.
    pub discards: u64,
    /// Sectors that were read.
    pub sectors_read: u64,
    /// Sectors that were written or discarded.
    pub sectors_written: u64,
}

/// How far the faults that come after a number of steps are.
#[derive(Debug, Default)]
pub(super) struct Countdown {
    cut: Option<u64>,
    fail: Option<u64>,
}

impl Countdown {
    pub(super) fn new(faults: &Faults) -> Self {
        Self {
            cut: faults.cut_after,
            fail: faults.fail_after,
        }
    }

    /// Counts a step down and tells what happens to it.
    pub(super) fn step(&mut self) -> Result<(), Error> {
        if take_one(&mut self.cut) {
            return Err(Error::Gone);
        }
        if take_one(&mut self.fail) {
            return Err(Error::Io);
        }
        Ok(())
    }
}

/// Returns whether nothing is left to take one from.
fn take_one(left: &mut Option<u64>) -> bool {
    match left {
        Some(0) => true,
        Some(left) => {
            *left -= 1;
            false
        }
        None => false,
    }
}
