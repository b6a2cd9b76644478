//! The task that makes changes, a batch at a time: first their sums durable, then the changes.

use super::disk::Disk;
use super::queue::{Action, Request, answer, overlap};
use super::sums::{Group, Sums, sum};
use crate::{Block, Error};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::ops::Range;
use fata_task::{all, join};

#[derive(Debug, Default)]
pub(super) struct Worker {
    /// The groups of the last batch.
    groups: BTreeMap<u64, Group>,
    /// The sectors written since the last flush, by writes that have succeeded: one flush more, and
    /// what was there before is gone.
    recent: Vec<Range<u64>>,
    /// A flush has failed: what the next one that is asked for reports.
    failure: Option<Error>,
}

impl Worker {
    /// Does requests of which no two change the same sector, and tells what became of flushes
    /// that were among them.
    pub(super) async fn run<B: Block>(
        &mut self,
        disk: &Disk<B>,
        batch: Vec<Request>,
    ) -> Result<(), Error> {
        let (mut changes, mut flushes) = (Vec::new(), Vec::new());
        for request in batch {
            match request.action {
                Action::Read(buffer) => {
                    let outcome = read_again(disk, request.sectors.start, buffer).await;
                    answer(request.reply, outcome);
                }
                Action::Flush => flushes.push(request),
                _ => match self.prepare(disk, &request.sectors).await {
                    Ok(()) => changes.push(request),
                    Err(error) => {
                        answer(request.reply, Err(error));
                    }
                },
            }
        }
        if changes.is_empty() && flushes.is_empty() {
            return Ok(());
        }
        let admitted = self.admit(disk, &changes).await;
        if admitted.is_err() {
            // The sums on the disk accept all that may be there; memory may know of less.
            self.groups.clear();
            self.recent.clear();
        }
        if changes.is_empty() && write_settled(disk, &self.groups).await {
            let groups = self.groups.values_mut();
            groups.for_each(|group| group.is_changed = false);
        }
        let flushed = self.failure.map_or(admitted, Err);
        let is_heard = answer_all(flushes, flushed);
        if is_heard {
            self.failure = None;
        }
        match admitted {
            Ok(()) if !changes.is_empty() => self.make(disk, changes).await,
            admitted => {
                answer_all(changes, admitted);
            }
        }
        if is_heard { flushed } else { Ok(()) }
    }

    /// Reads the sums of what is to be changed, and sees to it that a flush leaves no more than
    /// one content possible in each of the sectors.
    async fn prepare<B: Block>(
        &mut self,
        disk: &Disk<B>,
        sectors: &Range<u64>,
    ) -> Result<(), Error> {
        let groups = disk.groups_of(sectors);
        if groups
            .clone()
            .any(|group| !self.groups.contains_key(&group))
        {
            let read = disk.read_groups(groups.clone()).await?;
            for (number, group) in groups.zip(read) {
                self.groups.entry(number).or_insert(group);
            }
        }
        for sector in sectors.clone() {
            let is_recent = self.recent.iter().any(|range| range.contains(&sector));
            if !is_recent && !self.sums(disk, sector).is_settled() {
                self.restore(disk, sector).await?;
            }
        }
        Ok(())
    }

    /// Writes again what is in a sector, as it is not known whether that is durable.
    async fn restore<B: Block>(&mut self, disk: &Disk<B>, sector: u64) -> Result<(), Error> {
        let place = disk.layout.data_place(sector);
        let possible = self.sums(disk, sector);
        let buffer = vec![0; disk.layout.sector_size()];
        let mut bytes = disk.data.read(place, buffer).await?;
        let mut sums = possible.found(sum(sector, &bytes));
        if sums == Sums::LOST {
            // It may have been damaged on its way only.
            bytes = disk.data.read(place, bytes).await?;
            sums = possible.found(sum(sector, &bytes));
        }
        if sums != Sums::LOST {
            disk.data.write(place, bytes).await?;
            self.recent.push(sector..sector + 1);
        }
        self.set_sums(disk, sector, sums);
        Ok(())
    }

    /// Makes durable what has ended, and the sums of changes that may begin after that.
    async fn admit<B: Block>(&mut self, disk: &Disk<B>, changes: &[Request]) -> Result<(), Error> {
        let needs_flush = |change: &Request| {
            // A recent write of the same content has left its sector with one sum.
            let is_recent = |range: &Range<u64>| overlap(range, &change.sectors);
            self.recent.iter().any(is_recent)
                || (change.sectors.clone()).any(|sector| !self.sums(disk, sector).is_settled())
        };
        if changes.is_empty() || changes.iter().any(needs_flush) {
            self.flush(disk).await?;
        }
        if changes.is_empty() {
            return Ok(());
        }
        for change in changes {
            for sector in change.sectors.clone() {
                let sums = self.sums(disk, sector);
                let next = change.next_sums(&disk.layout, sector, sums);
                self.set_sums(disk, sector, next);
            }
        }
        let current = groups_of(disk, changes);
        let groups = || current.iter();
        disk.write_groups(groups().map(|number| (number, &self.groups[number])))
            .await?;
        for number in groups() {
            self.groups
                .get_mut(number)
                .expect("it was written")
                .is_changed = false;
        }
        self.flush(disk).await
    }

    async fn flush<B: Block>(&mut self, disk: &Disk<B>) -> Result<(), Error> {
        let recent = core::mem::take(&mut self.recent);
        if let Err(error) = disk.data.flush().await {
            self.failure = Some(error);
            return Err(error);
        }
        for sector in recent.into_iter().flatten() {
            let settled = self.sums(disk, sector).settle();
            self.set_sums(disk, sector, settled);
        }
        Ok(())
    }

    /// Makes changes whose sums are durable, and writes beside them what flushes have settled of
    /// other groups, which then are forgotten.
    async fn make<B: Block>(&mut self, disk: &Disk<B>, changes: Vec<Request>) {
        let current = groups_of(disk, &changes);
        let groups = core::mem::take(&mut self.groups).into_iter();
        let others: BTreeMap<_, _>;
        (self.groups, others) = groups.partition(|(number, _)| current.contains(number));
        let written = RefCell::new(Vec::new());
        let changes = changes
            .into_iter()
            .map(|change| make_one(disk, change, &written));
        let (_, _) = join(all(changes), write_settled(disk, &others)).await;
        self.recent = written.into_inner();
    }

    fn sums<B: Block>(&self, disk: &Disk<B>, sector: u64) -> Sums {
        let (number, index) = disk.layout.group(sector);
        self.groups[&number].sums[index]
    }

    fn set_sums<B: Block>(&mut self, disk: &Disk<B>, sector: u64, sums: Sums) {
        let (number, index) = disk.layout.group(sector);
        if let Some(group) = self.groups.get_mut(&number) {
            group.is_changed |= group.sums[index] != sums;
            group.sums[index] = sums;
        }
    }
}

/// Tells whether anyone was interested.
fn answer_all(requests: Vec<Request>, outcome: Result<(), Error>) -> bool {
    let replies = requests.into_iter().map(|request| request.reply);
    let heard = replies.map(|reply| answer(reply, outcome.map(|()| Vec::new())));
    heard.fold(false, |any, is_heard| any | is_heard)
}

/// The groups of changes.
fn groups_of<B: Block>(disk: &Disk<B>, changes: &[Request]) -> BTreeSet<u64> {
    let groups = changes.iter().map(|change| disk.groups_of(&change.sectors));
    groups.flatten().collect()
}

/// Reads while nothing is being written: what does not fit now is damaged.
async fn read_again<B: Block>(
    disk: &Disk<B>,
    sector: u64,
    buffer: Vec<u8>,
) -> Result<Vec<u8>, Error> {
    match disk.read(sector, buffer).await? {
        (bytes, true) => Ok(bytes),
        (bytes, false) => {
            let count = bytes.len() / disk.layout.sector_size();
            log::error!("of {count} sectors from {sector} on, some are not as they were written");
            Err(Error::Corrupt)
        }
    }
}

/// Writes sums that accept less than those on the disk do.
///
/// True if they are on the disk; if not, that is no error, as what is there is not wrong either.
async fn write_settled<B: Block>(disk: &Disk<B>, groups: &BTreeMap<u64, Group>) -> bool {
    let changed = groups.iter().filter(|(_, group)| group.is_changed);
    disk.write_groups(changed).await.is_ok()
}

/// Makes one change, and adds its sectors to those that were written.
async fn make_one<B: Block>(
    disk: &Disk<B>,
    change: Request,
    written: &RefCell<Vec<Range<u64>>>,
) -> Result<(), Error> {
    let Request {
        sectors,
        action,
        reply,
    } = change;
    let place = disk.layout.data_place(sectors.start);
    let count = sectors.end - sectors.start;
    let is_discard = matches!(action, Action::Discard);
    let outcome = match action {
        Action::Write(bytes) => disk.data.write(place, bytes).await,
        Action::WriteZeroes => disk
            .data
            .write_zeroes(place, count)
            .await
            .map(|()| Vec::new()),
        _ => disk.data.discard(place, count).await.map(|()| Vec::new()),
    };
    if outcome.is_ok() && !is_discard {
        written.borrow_mut().push(sectors);
    }
    let made = outcome.as_ref().map(drop).map_err(|error| *error);
    answer(reply, outcome);
    made
}
