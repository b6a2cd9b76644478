use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};

/// Bytes that may still wait, given out in the order in which they are asked for.
#[derive(Debug)]
pub(crate) struct Room {
    free: Cell<usize>,
    next: Cell<u64>,
    /// Who waits, the first to come first.
    waiting: RefCell<BTreeMap<u64, Option<Waker>>>,
}

/// A part of a [`Room`], given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    room: Rc<Room>,
    size: usize,
}

/// A place in the row of those who wait.
struct Place<'a> {
    room: &'a Room,
    number: u64,
}

impl Room {
    pub(crate) fn new(size: usize) -> Self {
        Self {
            free: Cell::new(size),
            next: Cell::new(0),
            waiting: RefCell::new(BTreeMap::new()),
        }
    }

    /// Takes a share, which must not be larger than the room, as soon as it is free.
    pub(crate) async fn take(self: &Rc<Self>, size: usize) -> Share {
        let place = Place {
            room: self,
            number: self.next.replace(self.next.get() + 1),
        };
        self.waiting.borrow_mut().insert(place.number, None);
        poll_fn(|context| self.poll_take(context, place.number, size)).await;
        Share {
            room: Rc::clone(self),
            size,
        }
    }

    fn poll_take(&self, context: &mut Context<'_>, number: u64, size: usize) -> Poll<()> {
        let mut waiting = self.waiting.borrow_mut();
        let is_first = waiting.keys().next() == Some(&number);
        if is_first && self.free.get() >= size {
            self.free.set(self.free.get() - size);
            return Poll::Ready(());
        }
        waiting.insert(number, Some(context.waker().clone()));
        Poll::Pending
    }

    /// Wakes the first of those who wait.
    fn wake(&self) {
        let waiting = self.waiting.borrow();
        if let Some(waker) = waiting.values().next().and_then(Option::as_ref) {
            waker.wake_by_ref();
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.room.waiting.borrow_mut().remove(&self.number);
        self.room.wake();
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.free.set(self.room.free.get() + self.size);
        self.room.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use fata_task::{Either, select, simulate, yield_now};

    #[test]
    fn room_is_given_out_in_order() {
        simulate(|tasks| async move {
            let room = Rc::new(Room::new(10));
            let log = Rc::new(RefCell::new(Vec::new()));
            let share = room.take(5).await;
            for size in [6, 10, 1] {
                let (room, log) = (Rc::clone(&room), Rc::clone(&log));
                tasks.spawn(async move {
                    let _share = room.take(size).await;
                    log.borrow_mut().push(size);
                    yield_now().await;
                });
                yield_now().await;
            }
            let given_up = select(room.take(1), yield_now()).await;
            assert!(matches!(given_up, Either::Second(())));
            drop(given_up);
            assert!(log.borrow().is_empty(), "the first in the row waits");
            drop(share);
            drop(room.take(10).await);
            assert_eq!(*log.borrow(), vec![6, 10, 1]);
            assert!(room.waiting.borrow().is_empty());
        });
    }
}
