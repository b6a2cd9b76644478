//! Making changes of the index durable.

use crate::Error;
use crate::index::{Index, slot_sectors};
use crate::shared::{Change, Item, Request, Shared, State};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::mem;
use fata_block::Block;
use fata_task::channel::oneshot;

/// State of the queue once its index is durable.
struct Plan {
    index: Index,
    removes: bool,
    added: Vec<Rc<Item>>,
}

impl<B: Block + 'static> Shared<B> {
    /// Has a change of the index made durable.
    pub(crate) async fn change(self: &Rc<Self>, change: Change) -> Result<(), Error> {
        let (reply, outcome) = oneshot::channel().into_split();
        let was_committing = {
            let mut state = self.state.borrow_mut();
            state.pending.push(Request { change, reply });
            mem::replace(&mut state.is_committing, true)
        };
        if !was_committing {
            // A task of its own: it goes on if the client goes away.
            self.tasks.spawn_detached(Rc::clone(self).commit_pending());
        }
        outcome.await.unwrap_or(Err(Error::Lost))
    }

    /// Makes durable what is pending, until nothing is. Changes that come meanwhile share the
    /// next index.
    pub(crate) async fn commit_pending(self: Rc<Self>) {
        loop {
            let mut batch = mem::take(&mut self.state.borrow_mut().pending);
            if batch.is_empty() {
                self.state.borrow_mut().is_committing = false;
                return;
            }
            let outcome = self.commit(&mut batch).await;
            if let Err(error) = outcome {
                log::error!(target: "queue", "{} changes failed: {error}", batch.len());
            }
            for request in batch {
                // Nobody may be interested any more.
                let _ = request.reply.send(outcome.map_err(Error::Disk));
            }
        }
    }

    async fn commit(&self, batch: &mut Vec<Request>) -> Result<(), fata_block::Error> {
        if self.needs_flush(batch) {
            self.flush().await?;
        }
        self.refuse_lost(batch);
        let plan = self.plan(batch);
        let written = self.write_index(&plan.index).await;
        let mut state = self.state.borrow_mut();
        match written {
            Ok(()) => state.apply(plan),
            Err(_) => state.doubtful.extend(plan.added),
        }
        if !state.items.is_empty() {
            self.waiting.wake();
        }
        written
    }

    /// Tells whether data of these items was written after the last flush had begun.
    fn needs_flush(&self, batch: &[Request]) -> bool {
        let succeeded = self.state.borrow().flushes.succeeded;
        batch.iter().any(|request| match request.change {
            Change::Add { written, .. } => written >= succeeded,
            Change::Remove(_) | Change::Nothing => false,
        })
    }

    /// Takes out what a flush that failed may have lost.
    fn refuse_lost(&self, batch: &mut Vec<Request>) {
        let failed_now = self.state.borrow().flushes.failed;
        let is_lost = |request: &mut Request| match request.change {
            Change::Add { failed, .. } => failed != failed_now,
            Change::Remove(_) | Change::Nothing => false,
        };
        for request in batch.extract_if(.., is_lost) {
            let _ = request.reply.send(Err(Error::Lost));
        }
    }

    fn plan(&self, batch: &[Request]) -> Plan {
        let state = &mut *self.state.borrow_mut();
        let is_removal = |request: &Request| match request.change {
            Change::Remove(number) => number == state.first,
            Change::Add { .. } | Change::Nothing => false,
        };
        let removes = !state.items.is_empty() && batch.iter().any(is_removal);
        let added = batch.iter().filter_map(|request| request.change.item());
        let added: Vec<_> = added.cloned().collect();
        let kept = state.items.iter().skip(usize::from(removes));
        state.generation = state.generation.wrapping_add(1);
        let index = Index {
            sector_size: self.geometry.sector_size as u32,
            sectors: self.sectors,
            generation: state.generation,
            first: state.first.wrapping_add(removes.into()),
            entries: kept.chain(&added).map(|item| item.entry()).collect(),
        };
        Plan {
            index,
            removes,
            added,
        }
    }

    async fn write_index(&self, index: &Index) -> Result<(), fata_block::Error> {
        let slot = self.state.borrow().slot;
        let sector = slot * slot_sectors(self.geometry.sector_size);
        self.disk.write(sector, index.encode()).await?;
        self.flush().await
    }
}

impl State {
    /// The planned index is durable: what it does not name is free.
    fn apply(&mut self, plan: Plan) {
        self.doubtful.clear();
        if plan.removes {
            self.items.pop_front();
        }
        self.items.extend(plan.added);
        self.first = plan.index.first;
        self.slot = 1 - self.slot;
    }
}
