use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::task::Waker;

/// The connections that belong to a listener.
#[derive(Default)]
pub(super) struct Backlog {
    /// How many connections there are whose peer has not answered the SYN+ACK yet.
    pub(super) half_open: usize,
    /// Connections that can be accepted, oldest first.
    pub(super) waiting: VecDeque<usize>,
    acceptors: Vec<Waker>,
}

impl Backlog {
    /// Lets a connection wait to be accepted.
    pub(super) fn push(&mut self, key: usize) {
        self.waiting.push_back(key);
        self.wake();
    }

    /// Wakes those who wait to accept: all, as any of them may have lost interest.
    pub(super) fn wake(&mut self) {
        for acceptor in self.acceptors.drain(..) {
            acceptor.wake();
        }
    }

    pub(super) fn register(&mut self, waker: &Waker) {
        if !self.acceptors.iter().any(|other| other.will_wake(waker)) {
            self.acceptors.push(waker.clone());
        }
    }
}
