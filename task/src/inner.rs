use crate::deadlines::Deadlines;
use crate::idle::{Unparker, unpark};
use crate::sync::{AtomicBool, Mutex, Ordering};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::task::Wake;
use core::cell::{Cell, RefCell};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Waker};
use fata_memory::can_grow;
use fata_time::{Clock, Discipline, Instant};
use slab::Slab;

/// The timers of an executor.
pub(crate) type Timers = Deadlines<Instant, Waker>;

type LocalFuture = Pin<Box<dyn Future<Output = ()>>>;

/// A task's place in the executor. The future is out while it is polled.
struct Slot {
    future: Option<LocalFuture>,
    ticket: Arc<Ticket>,
}

/// The content of a task's waker: enough to queue the task, and nothing of the task itself,
/// so that wakers may outlive the task and cross threads.
pub(crate) struct Ticket {
    /// The task's key in the slab; `None` is the future that `block_on` runs.
    pub(crate) key: Option<usize>,
    pub(crate) queued: AtomicBool,
    ready: Arc<ReadyQueue>,
}

type ReadyQueue = Mutex<Ready>;

/// The queue of tasks that were woken for the next round.
#[derive(Default)]
struct Ready {
    tickets: VecDeque<Arc<Ticket>>,
    /// While the executor waits and nothing was woken: what ends that. It is set under the same
    /// lock as the queue is found empty, so no other thread's wake comes between the two.
    unparker: Option<Unparker>,
}

impl Wake for Ticket {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            let mut ready = self.ready.lock();
            ready.tickets.push_back(Arc::clone(self));
            let unparker = ready.unparker.take();
            drop(ready);
            if let Some(unparker) = unparker {
                unpark(unparker);
            }
        }
    }
}

/// The state that an executor and its handles share.
pub(crate) struct Inner {
    pub(crate) clock: Box<dyn Clock>,
    /// The wall clock, once it was corrected.
    pub(crate) wall: Cell<Option<Discipline>>,
    pub(crate) timers: RefCell<Timers>,
    slots: RefCell<Slab<Slot>>,
    /// The rest of the current round.
    round: RefCell<VecDeque<Arc<Ticket>>>,
    ready: Arc<ReadyQueue>,
    /// The time of the current round, once something has asked for it.
    round_time: Cell<Option<Instant>>,
}

impl Inner {
    pub(crate) fn new(clock: impl Clock + 'static) -> Self {
        Self {
            clock: Box::new(clock),
            wall: Cell::new(None),
            timers: RefCell::default(),
            slots: RefCell::default(),
            round: RefCell::default(),
            ready: Arc::default(),
            round_time: Cell::new(None),
        }
    }

    /// The clock, read once a round at most.
    pub(crate) fn coarse_now(&self) -> Instant {
        self.round_time.get().unwrap_or_else(|| {
            let now = self.clock.now();
            self.round_time.set(Some(now));
            now
        })
    }

    /// Takes a task in and queues it for its first poll.
    pub(crate) fn insert(&self, future: LocalFuture) -> Arc<Ticket> {
        let mut slots = self.slots.borrow_mut();
        let entry = slots.vacant_entry();
        let ticket = self.ticket(Some(entry.key()));
        ticket.wake_by_ref();
        entry.insert(Slot {
            future: Some(future),
            ticket: Arc::clone(&ticket),
        });
        ticket
    }

    pub(crate) fn ticket(&self, key: Option<usize>) -> Arc<Ticket> {
        Arc::new(Ticket {
            key,
            queued: AtomicBool::new(false),
            ready: Arc::clone(&self.ready),
        })
    }

    /// Drops a task, if it still runs.
    pub(crate) fn cancel(&self, ticket: &Arc<Ticket>) {
        if let Some(key) = ticket.key {
            let slot = self.remove(key, Arc::as_ptr(ticket));
            // The drop may run arbitrary code, so no borrow is held any more.
            drop(slot);
        }
    }

    /// True while the task has not ended.
    pub(crate) fn contains(&self, ticket: &Arc<Ticket>) -> bool {
        let slots = self.slots.borrow();
        let slot = ticket.key.and_then(|key| slots.get(key));
        slot.is_some_and(|slot| slot.is_of(Arc::as_ptr(ticket)))
    }

    /// True if there is memory for one more task, and for a timer of it.
    pub(crate) fn can_grow(&self) -> bool {
        let slots = self.slots.borrow();
        // A task, what it waits for, and its patience may have a timer each.
        can_grow::<Slot>(slots.len(), slots.capacity())
            && self.timers.borrow_mut().make_room(3 * slots.len())
    }

    /// How many tasks there is memory for.
    #[cfg(test)]
    pub(crate) fn places(&self) -> usize {
        self.slots.borrow().capacity()
    }

    fn remove(&self, key: usize, ticket: *const Ticket) -> Option<Slot> {
        let mut slots = self.slots.borrow_mut();
        slots.get(key).filter(|slot| slot.is_of(ticket))?;
        let slot = slots.remove(key);
        // After a crowd has left, its places are given back: at each power of two on the
        // way down, so that the cost stays small.
        if slots.len().is_power_of_two() && slots.len() <= slots.capacity() / 8 {
            slots.shrink_to_fit();
        }
        Some(slot)
    }

    /// Polls one task. A ticket whose task has ended is passed over.
    pub(crate) fn poll_task(&self, ticket: Arc<Ticket>, key: usize) {
        // The waker keeps the ticket, so no other one can be at this address meanwhile.
        let address = Arc::as_ptr(&ticket);
        let taken = match self.slots.borrow_mut().get_mut(key) {
            Some(slot) if slot.is_of(address) => slot.future.take(),
            _ => None,
        };
        let Some(mut future) = taken else {
            return;
        };
        // The queue's reference becomes the waker's.
        let waker = Waker::from(ticket);
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        if polled.is_ready() {
            // The future is dropped before its slot, while no borrow is held.
            drop(future);
            drop(self.remove(key, address));
            return;
        }
        if let Some(slot) = self.slots.borrow_mut().get_mut(key)
            && slot.is_of(address)
        {
            slot.future = Some(future);
        }
    }

    /// Begins a round with what is ready now, unless one was left unfinished.
    pub(crate) fn begin_round(&self) {
        let mut round = self.round.borrow_mut();
        if round.is_empty() {
            core::mem::swap(&mut *round, &mut self.ready.lock().tickets);
        }
    }

    /// True if nothing was woken. Then the next wake calls `unparker`.
    pub(crate) fn is_out_of_work(&self, unparker: &Option<Unparker>) -> bool {
        let mut ready = self.ready.lock();
        let is_empty = ready.tickets.is_empty();
        if is_empty {
            ready.unparker.clone_from(unparker);
        }
        is_empty
    }

    /// The wait is over: nobody has to end it.
    #[inline]
    pub(crate) fn forget_unparker(&self) {
        self.ready.lock().unparker = None;
    }

    pub(crate) fn next_of_round(&self) -> Option<Arc<Ticket>> {
        self.round.borrow_mut().pop_front()
    }

    /// Drops all tasks.
    pub(crate) fn clear(&self) {
        let slots = core::mem::take(&mut *self.slots.borrow_mut());
        drop(slots);
        self.round.borrow_mut().clear();
        self.ready.lock().tickets.clear();
    }

    pub(crate) fn fire_timers(&self) {
        self.round_time.set(None);
        if self.timers.borrow().next().is_none() {
            return;
        }
        let now = self.coarse_now();
        loop {
            let expired = self.timers.borrow_mut().expire(now);
            match expired {
                Some(waker) => waker.wake(),
                None => return,
            }
        }
    }
}

impl Slot {
    fn is_of(&self, ticket: *const Ticket) -> bool {
        core::ptr::eq(Arc::as_ptr(&self.ticket), ticket)
    }
}
