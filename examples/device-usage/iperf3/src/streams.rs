use crate::protocol::Counts;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::future::Future;
use fata_task::{Handle, JoinHandle};

/// The streams of a test, which carry data until this is dropped.
#[derive(Default)]
pub struct Streams {
    /// Counts of each.
    pub counts: Vec<Rc<Cell<Counts>>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Streams {
    /// Adds a stream, and returns its counts.
    pub fn add(&mut self) -> Rc<Cell<Counts>> {
        let counts = Rc::<Cell<Counts>>::default();
        self.counts.push(Rc::clone(&counts));
        counts
    }

    pub fn spawn(&mut self, tasks: &Handle, task: impl Future<Output = ()> + 'static) {
        self.tasks.push(tasks.spawn(task));
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::cancel);
    }
}
