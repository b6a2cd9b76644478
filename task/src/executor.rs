use crate::Handle;
use crate::sync::{AtomicBool, Mutex, Ordering};
use crate::timer::Timers;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::task::Wake;
use core::cell::{Cell, RefCell};
use core::future::Future;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use fata_memory::can_grow;
use fata_time::{Clock, Discipline, Instant};
use slab::Slab;

/// How the executor's home passes the time when no task is ready.
pub trait Idle {
    /// Signals the [`Event`](crate::Event)s of what has happened since the last call.
    /// Must not wait. Called between rounds while tasks are ready.
    fn poll(&self);

    /// Like [`poll`](Self::poll), but waits until there is something to signal, or until
    /// `deadline`. Called when no task is ready. May return early.
    fn wait(&self, deadline: Option<Instant>);

    /// What ends a [`wait`](Self::wait) early, or keeps the next one from waiting. It is called
    /// when a task is woken during a wait, so by other threads too. A home whose tasks are woken
    /// by nothing but what it signals itself needs none.
    fn unparker(&self) -> Option<Unparker> {
        None
    }
}

/// Ends a wait of [`Idle`] from any thread.
#[cfg(not(fata_vm))]
pub type Unparker = Arc<dyn Fn() + Send + Sync>;

/// There is none: a machine's tasks are woken by nothing but what its home signals itself.
#[cfg(fata_vm)]
pub type Unparker = core::convert::Infallible;

#[cfg(not(fata_vm))]
fn unpark(unparker: Unparker) {
    unparker();
}

#[cfg(fata_vm)]
fn unpark(unparker: Unparker) {
    match unparker {}
}

type LocalFuture = Pin<Box<dyn Future<Output = ()>>>;

/// A task's place in the executor. The future is out while it is polled.
struct Slot {
    future: Option<LocalFuture>,
    ticket: Arc<Ticket>,
}

/// What a task's waker holds: enough to queue the task, and nothing of the task itself,
/// so that wakers may outlive the task and cross threads.
pub(crate) struct Ticket {
    /// The task's key in the slab; `None` is the future that `block_on` runs.
    key: Option<usize>,
    queued: AtomicBool,
    ready: Arc<ReadyQueue>,
}

type ReadyQueue = Mutex<Ready>;

/// What was woken for the next round.
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

/// What an executor and its handles share.
pub(crate) struct Inner {
    pub(crate) clock: Box<dyn Clock>,
    /// The wall clock, once it was corrected.
    pub(crate) wall: Cell<Option<Discipline>>,
    pub(crate) timers: RefCell<Timers>,
    slots: RefCell<Slab<Slot>>,
    /// What is left of the current round.
    round: RefCell<VecDeque<Arc<Ticket>>>,
    ready: Arc<ReadyQueue>,
    /// The time of the current round, once something has asked for it.
    round_time: Cell<Option<Instant>>,
}

impl Inner {
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

    fn ticket(&self, key: Option<usize>) -> Arc<Ticket> {
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

    /// Whether a task still runs.
    pub(crate) fn contains(&self, ticket: &Arc<Ticket>) -> bool {
        let slots = self.slots.borrow();
        let slot = ticket.key.and_then(|key| slots.get(key));
        slot.is_some_and(|slot| slot.is_of(Arc::as_ptr(ticket)))
    }

    /// Whether there is memory for one more task, and for a timer of it.
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
    fn poll_task(&self, ticket: Arc<Ticket>, key: usize) {
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
    fn begin_round(&self) {
        let mut round = self.round.borrow_mut();
        if round.is_empty() {
            core::mem::swap(&mut *round, &mut self.ready.lock().tickets);
        }
    }

    /// Whether nothing was woken. Then what is woken from now on is told to `unparker`.
    fn is_out_of_work(&self, unparker: &Option<Unparker>) -> bool {
        let mut ready = self.ready.lock();
        let is_empty = ready.tickets.is_empty();
        if is_empty {
            ready.unparker.clone_from(unparker);
        }
        is_empty
    }

    fn next_of_round(&self) -> Option<Arc<Ticket>> {
        self.round.borrow_mut().pop_front()
    }

    fn fire_timers(&self) {
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

/// Runs tasks, one at a time, on the core that calls [`block_on`](Self::block_on).
pub struct Executor {
    inner: Rc<Inner>,
}

impl Executor {
    /// An executor whose timers follow `clock`.
    pub fn new(clock: impl Clock + 'static) -> Self {
        Self {
            inner: Rc::new(Inner {
                clock: Box::new(clock),
                wall: Cell::new(None),
                timers: RefCell::default(),
                slots: RefCell::default(),
                round: RefCell::default(),
                ready: Arc::default(),
                round_time: Cell::new(None),
            }),
        }
    }

    /// A handle, to spawn tasks and to tell the time.
    pub fn handle(&self) -> Handle {
        Handle::new(Rc::clone(&self.inner))
    }

    /// Runs `main`, and beside it all tasks that are spawned, until `main` is done.
    /// Tasks that still run then stay as they are until the next call, or until the
    /// executor is dropped.
    pub fn block_on<F: Future>(&self, idle: &impl Idle, main: F) -> F::Output {
        let mut main = pin!(main);
        let root = self.inner.ticket(None);
        let root_waker = Waker::from(Arc::clone(&root));
        root_waker.wake_by_ref();
        let unparker = idle.unparker();
        loop {
            // One round: what is ready now. What these wake is for the next round, so
            // that device events and timers get their turn between two rounds.
            self.inner.begin_round();
            while let Some(ticket) = self.inner.next_of_round() {
                // Not a store: whoever found the ticket queued, and so leaves it at that, has
                // to have its work seen by the poll that follows.
                ticket.queued.swap(false, Ordering::AcqRel);
                if let Some(key) = ticket.key {
                    self.inner.poll_task(ticket, key);
                } else if Arc::ptr_eq(&ticket, &root) {
                    let polled = main.as_mut().poll(&mut Context::from_waker(&root_waker));
                    if let Poll::Ready(output) = polled {
                        return output;
                    }
                }
            }
            self.wait_for_work(idle, &unparker);
        }
    }

    fn wait_for_work(&self, idle: &impl Idle, unparker: &Option<Unparker>) {
        self.inner.fire_timers();
        if self.inner.is_out_of_work(unparker) {
            let deadline = self.inner.timers.borrow().next();
            idle.wait(deadline);
            self.inner.ready.lock().unparker = None;
            self.inner.fire_timers();
        } else {
            idle.poll();
        }
    }
}

impl Drop for Executor {
    /// Drops all tasks. They may hold handles, which would keep them alive for ever.
    fn drop(&mut self) {
        let slots = core::mem::take(&mut *self.inner.slots.borrow_mut());
        drop(slots);
        self.inner.round.borrow_mut().clear();
        self.inner.ready.lock().tickets.clear();
    }
}
