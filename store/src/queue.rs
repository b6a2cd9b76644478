//! Changes that wait for a transaction: those that come while one is under way share the next.

use crate::room::Share;
use crate::transaction::Transaction;
use crate::volume::Volume;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;
use fata_block::Block;
use fata_kv::{Change, Error, Key};
use fata_task::channel::oneshot::Sender;

/// Most batches of a transaction.
const MAX_GROUP: usize = 64;

/// A change that outlives the request for it, which may be dropped at any time.
#[derive(Debug)]
pub(crate) enum OwnedChange {
    Set(Key, Vec<u8>),
    SetRange(Key, u64, Vec<u8>),
    Remove(Key),
    Rename(Key, Key),
}

impl OwnedChange {
    /// # Errors
    /// [`Error::NoMemory`].
    pub(crate) fn new(change: &Change<'_>) -> Result<Self, Error> {
        Ok(match *change {
            Change::Set(key, bytes) => Self::Set(key.clone(), copy(bytes)?),
            Change::SetRange(key, offset, bytes) => {
                Self::SetRange(key.clone(), offset, copy(bytes)?)
            }
            Change::Remove(key) => Self::Remove(key.clone()),
            Change::Rename(from, to) => Self::Rename(from.clone(), to.clone()),
        })
    }

    /// Bytes of memory that a change takes, roughly.
    pub(crate) fn cost(change: &Change<'_>) -> usize {
        let bytes = match *change {
            Change::Set(_, bytes) | Change::SetRange(_, _, bytes) => bytes.len(),
            Change::Remove(_) | Change::Rename(..) => 0,
        };
        bytes + 2 * Key::MAX_LENGTH
    }
}

/// A copy, if there is memory for it in one piece: a value may be large.
fn copy(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let mut copy = Vec::new();
    let room = copy.try_reserve_exact(bytes.len());
    room.map_err(|_| Error::NoMemory)?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

/// Changes that are to be made as one, and who waits for that.
pub(crate) struct Request {
    pub(crate) changes: Vec<OwnedChange>,
    /// Their share of the memory for changes that wait, also if nobody waits for them any more.
    pub(crate) share: Share,
    pub(crate) reply: Sender<Result<(), Error>>,
}

impl Request {
    /// Tells who asked what has become of it. Dropping the channel would not wake them.
    pub(crate) fn answer(self, outcome: Result<(), Error>) {
        drop((self.changes, self.share));
        // Whoever asked may have lost interest.
        let _ = self.reply.send(outcome);
    }
}

/// How far a transaction has got with the batches of a group.
enum Progress {
    /// It has made, or refused, each of the first so many without a trace.
    Done(usize),
    /// It has made a part of one that failed, and has to be begun anew.
    Spoilt(usize, Error),
}

/// Makes the first batches of a queue durable as one transaction, as many as can share it, and
/// tells whether the store can go on.
pub(crate) async fn run_group<B: Block>(
    volume: &Volume<B>,
    queue: &core::cell::RefCell<VecDeque<Request>>,
    now: Option<Duration>,
) -> bool {
    let mut group: VecDeque<Request> = {
        let mut queue = queue.borrow_mut();
        let count = queue.len().min(MAX_GROUP);
        queue.drain(..count).collect()
    };
    let mut limit = group.len();
    loop {
        let mut transaction = Transaction::new(volume, now);
        let mut outcomes = Vec::new();
        let requests = group.iter().take(limit);
        match make(&mut transaction, requests, &mut outcomes).await {
            Progress::Done(count) => {
                let committed = commit(transaction, &outcomes).await;
                for (request, made) in group.drain(..count).zip(outcomes) {
                    request.answer(made.and(committed.map_err(|(error, _)| error)));
                }
                put_back(queue, group);
                return !matches!(committed, Err((_, true)));
            }
            Progress::Spoilt(index, error) => {
                volume.roll_back();
                // Alone, it may find more room.
                if error == Error::NoSpace && index > 0 {
                    limit = index;
                } else if let Some(request) = group.remove(index) {
                    request.answer(Err(error));
                    limit -= 1;
                }
            }
        }
    }
}

/// Makes batches in a transaction, until one needs to be alone.
async fn make<B: Block>(
    transaction: &mut Transaction<'_, B>,
    requests: impl Iterator<Item = &Request>,
    outcomes: &mut Vec<Result<(), Error>>,
) -> Progress {
    for (index, request) in requests.enumerate() {
        let before = transaction.changes;
        let outcome = make_batch(transaction, request).await;
        match outcome {
            Err(error) if transaction.changes != before => return Progress::Spoilt(index, error),
            Err(Error::NoSpace) if before > 0 => break,
            outcome => outcomes.push(outcome),
        }
    }
    Progress::Done(outcomes.len())
}

async fn make_batch<B: Block>(
    transaction: &mut Transaction<'_, B>,
    request: &Request,
) -> Result<(), Error> {
    for change in &request.changes {
        transaction.apply(change).await?;
    }
    Ok(())
}

/// Commits a transaction; on an error, true if it may be on the disk all the same.
async fn commit<B: Block>(
    transaction: Transaction<'_, B>,
    outcomes: &[Result<(), Error>],
) -> Result<(), (Error, bool)> {
    if transaction.changes == 0 || outcomes.iter().all(Result::is_err) {
        return Ok(());
    }
    let volume = transaction.volume();
    let committed = transaction.commit().await;
    match committed {
        Ok(()) => {
            if let Err(error) = volume.confirm().await {
                log::warn!("the store could not confirm a transaction: {error}");
            }
        }
        Err((_, may_be_there)) if !may_be_there => volume.roll_back(),
        Err(_) => {}
    }
    committed
}

fn put_back(queue: &core::cell::RefCell<VecDeque<Request>>, mut rest: VecDeque<Request>) {
    let mut queue = queue.borrow_mut();
    while let Some(request) = rest.pop_back() {
        queue.push_front(request);
    }
}
