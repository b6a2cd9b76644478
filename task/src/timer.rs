use crate::executor::Inner;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use fata_time::Instant;
use slab::Slab;

/// The timers of an executor, in the order in which they are due.
///
/// A binary heap whose entries know their places in it, so that a timer that is dropped
/// leaves at once: most are, long before they are due.
#[derive(Default)]
pub(crate) struct Timers {
    entries: Slab<Entry>,
    /// Keys of the entries. None is due before the one at half its place.
    heap: Vec<usize>,
    /// Tells timers of one instant apart.
    serial: u64,
}

struct Entry {
    due: (Instant, u64),
    /// Where the entry's key is in the heap.
    place: usize,
    waker: Waker,
}

impl Timers {
    fn insert(&mut self, deadline: Instant, waker: Waker) -> Key {
        self.serial += 1;
        let entry = Entry {
            due: (deadline, self.serial),
            place: self.heap.len(),
            waker,
        };
        let place = entry.place;
        let index = self.entries.insert(entry);
        self.heap.push(index);
        self.rise(place);
        Key {
            index,
            serial: self.serial,
        }
    }

    /// The waker of a timer that is not due yet.
    fn waker(&mut self, key: &Key) -> Option<&mut Waker> {
        let entry = self.entries.get_mut(key.index)?;
        (entry.due.1 == key.serial).then_some(&mut entry.waker)
    }

    fn cancel(&mut self, key: &Key) -> Option<Waker> {
        self.waker(key)?;
        Some(self.remove(key.index))
    }

    /// When the first timer is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        let first = self.heap.first()?;
        Some(self.entries[*first].due.0)
    }

    /// Takes the first timer that is due at `now`.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Waker> {
        let due = self.next()? <= now;
        due.then(|| self.remove(self.heap[0]))
    }

    fn remove(&mut self, index: usize) -> Waker {
        let entry = self.entries.remove(index);
        // The last key takes its place, and moves from there to where it belongs.
        self.heap.swap_remove(entry.place);
        if entry.place < self.heap.len() {
            self.rise(entry.place);
            self.sink(entry.place);
        }
        entry.waker
    }

    fn due(&self, place: usize) -> (Instant, u64) {
        self.entries[self.heap[place]].due
    }

    fn rise(&mut self, mut place: usize) {
        while place > 0 && self.due(place) < self.due((place - 1) / 2) {
            self.swap(place, (place - 1) / 2);
            place = (place - 1) / 2;
        }
        self.note(place);
    }

    fn sink(&mut self, mut place: usize) {
        loop {
            let children = 2 * place + 1..(2 * place + 3).min(self.heap.len());
            let first = children.min_by_key(|child| self.due(*child));
            match first {
                Some(child) if self.due(child) < self.due(place) => {
                    self.swap(place, child);
                    place = child;
                }
                _ => return self.note(place),
            }
        }
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.heap.swap(one, other);
        self.note(one);
        self.note(other);
    }

    fn note(&mut self, place: usize) {
        self.entries[self.heap[place]].place = place;
    }
}

/// A timer that was set. Its serial number tells it from a later one in the same place.
struct Key {
    index: usize,
    serial: u64,
}

/// The future of [`Handle::sleep`](crate::Handle::sleep).
///
/// Dropping it removes its timer.
#[must_use = "a sleep does nothing unless it is awaited"]
pub struct Sleep {
    executor: Rc<Inner>,
    deadline: Instant,
    key: Option<Key>,
}

impl Sleep {
    pub(crate) fn new(executor: Rc<Inner>, deadline: Instant) -> Self {
        Self {
            executor,
            deadline,
            key: None,
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.executor.clock.now() >= this.deadline {
            return Poll::Ready(());
        }
        let mut timers = this.executor.timers.borrow_mut();
        match this.key.as_ref().and_then(|key| timers.waker(key)) {
            Some(waker) => waker.clone_from(context.waker()),
            None => this.key = Some(timers.insert(this.deadline, context.waker().clone())),
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = &self.key {
            let waker = self.executor.timers.borrow_mut().cancel(key);
            // Its drop may run arbitrary code, so no borrow is held any more.
            drop(waker);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Key, Timers};
    use core::task::Waker;
    use fata_time::Instant;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::task::Wake;
    use std::vec::Vec;

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u64),
        Cancel(usize),
        Expire(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0..50u64).prop_map(Step::Insert),
            1 => any::<usize>().prop_map(Step::Cancel),
            2 => (0..50u64).prop_map(Step::Expire),
        ]
    }

    /// Notes its number when it is woken.
    struct Number(u64, Arc<AtomicU64>);

    impl Wake for Number {
        fn wake(self: Arc<Self>) {
            self.1.store(self.0, Ordering::Relaxed);
        }
    }

    proptest! {
        /// Timers come in the order of their deadlines, those of one instant in the order
        /// in which they were set, and none that was cancelled.
        #[test]
        fn order_is_that_of_a_sorted_map(steps in proptest::collection::vec(step(), 0..200)) {
            let woken = Arc::new(AtomicU64::new(0));
            let mut timers = Timers::default();
            let mut model: BTreeMap<(Instant, u64), ()> = BTreeMap::new();
            let mut keys: Vec<(Key, Instant)> = Vec::new();
            for (step, number) in steps.into_iter().zip(1..) {
                match step {
                    Step::Insert(deadline) => {
                        let deadline = Instant::from_nanos(deadline);
                        let waker = Waker::from(Arc::new(Number(number, woken.clone())));
                        let key = timers.insert(deadline, waker);
                        model.insert((deadline, key.serial), ());
                        keys.push((key, deadline));
                    }
                    Step::Cancel(_) if keys.is_empty() => {}
                    Step::Cancel(which) => {
                        let (key, deadline) = &keys[which % keys.len()];
                        let removed = model.remove(&(*deadline, key.serial)).is_some();
                        prop_assert_eq!(timers.cancel(key).is_some(), removed);
                    }
                    Step::Expire(now) => {
                        let now = Instant::from_nanos(now);
                        let expected = model.first_entry().filter(|first| first.key().0 <= now);
                        let expected = expected.map(|first| first.remove_entry().0.1);
                        let expired = timers.expire(now);
                        prop_assert_eq!(expired.is_some(), expected.is_some());
                    }
                }
                let first = model.keys().next().map(|(deadline, _)| *deadline);
                prop_assert_eq!(timers.next(), first);
                prop_assert_eq!(timers.entries.len(), model.len());
                prop_assert_eq!(timers.heap.len(), model.len());
            }
        }
    }
}
