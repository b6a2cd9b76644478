//! Requests that wait for the task that makes changes.

use super::layout::Layout;
use super::sums::{Sums, sum, zeroes_sum};
use crate::Error;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ops::Range;
use fata_task::channel::oneshot::Sender;

/// Most requests that are done together.
const MOST_REQUESTS: usize = 64;
/// Most groups that a batch of several requests has.
const MOST_GROUPS: u64 = 512;
/// How many requests wait before those are looked for that were dropped.
const MANY: usize = 256;

#[derive(Debug)]
pub(super) enum Action {
    Write(Vec<u8>),
    WriteZeroes,
    Discard,
    /// A read of something that did not fit its sum, done again while nothing is being written.
    Read(Vec<u8>),
    Flush,
}

/// Outlives what asked for it, which may be dropped at any time.
#[derive(Debug)]
pub(super) struct Request {
    /// Empty for a flush only.
    pub(super) sectors: Range<u64>,
    pub(super) action: Action,
    /// Gets the buffer back, or an empty one.
    pub(super) reply: Sender<Result<Vec<u8>, Error>>,
}

impl Request {
    pub(super) fn is_change(&self) -> bool {
        !matches!(self.action, Action::Read(_) | Action::Flush)
    }

    /// Returns whether both change the same sector.
    fn conflicts(&self, other: &Self) -> bool {
        self.is_change() && other.is_change() && overlap(&self.sectors, &other.sectors)
    }

    /// The possible contents of each of its sectors once the change is being made, from those
    /// before.
    pub(super) fn next_sums(&self, layout: &Layout, sector: u64, sums: Sums) -> Sums {
        let size = layout.sector_size();
        match &self.action {
            Action::Write(bytes) => {
                let at = (sector - self.sectors.start) as usize * size;
                sums.then(sum(sector, &bytes[at..at + size]))
            }
            Action::WriteZeroes => sums.then(zeroes_sum(sector, size)),
            _ => Sums::ANY,
        }
    }
}

pub(super) fn overlap(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end
}

/// Tells who asked what has become of it. False if they have lost interest.
pub(super) fn answer(
    reply: Sender<Result<Vec<u8>, Error>>,
    outcome: Result<Vec<u8>, Error>,
) -> bool {
    reply.send(outcome).is_ok()
}

#[derive(Debug, Default)]
pub(super) struct Queue(VecDeque<Request>);

impl Queue {
    pub(super) fn push(&mut self, request: Request) {
        if self.0.len() >= MANY {
            self.0.retain(|request| !request.reply.is_closed());
        }
        self.0.push_back(request);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Answers the flushes that wait.
    pub(super) fn fail_flushes(&mut self, error: Error) {
        for _ in 0..self.0.len() {
            match self.0.pop_front() {
                Some(request) if matches!(request.action, Action::Flush) => {
                    answer(request.reply, Err(error));
                }
                other => self.0.extend(other),
            }
        }
    }

    /// Takes the requests that can be done together: no two of them change the same sector.
    /// Those that were dropped are left out.
    pub(super) fn take_batch(&mut self, layout: &Layout) -> Vec<Request> {
        let mut batch: Vec<Request> = Vec::new();
        let mut groups = 0;
        while let Some(request) = self.0.pop_front() {
            if request.reply.is_closed() {
                continue;
            }
            groups += layout.group(request.sectors.end).0 - layout.group(request.sectors.start).0;
            let is_full = batch.len() == MOST_REQUESTS || groups > MOST_GROUPS;
            let conflicts = batch.iter().any(|other| other.conflicts(&request));
            if !batch.is_empty() && (is_full || conflicts) {
                self.0.push_front(request);
                break;
            }
            batch.push(request);
        }
        batch
    }
}
