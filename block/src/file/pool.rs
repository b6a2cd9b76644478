//! The threads of a disk.

use super::operation::Operation;
use crate::Error;
use alloc::collections::VecDeque;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use fata_task::Event;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread::{Builder, JoinHandle};

/// How many requests the host has at once.
const THREADS: usize = 8;
/// A thread's stack: its calls are shallow.
const STACK: usize = 128 << 10;

/// Threads that run operations on a file. Dropping it waits for those that they have begun.
pub(super) struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    file: OwnedFd,
    queue: Mutex<Queue>,
    /// There is a job, or the queue was closed.
    work: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    is_closed: bool,
}

struct Job {
    operation: Operation,
    reply: Arc<Reply>,
}

#[derive(Default)]
struct Reply {
    done: Event,
    result: Mutex<Option<Result<Vec<u8>, Error>>>,
}

impl Pool {
    /// Starts the threads. When it returns they have begun, and wait for work.
    pub(super) fn start(file: OwnedFd) -> io::Result<Self> {
        let mut pool = Self {
            shared: Arc::new(Shared {
                file,
                queue: Mutex::default(),
                work: Condvar::new(),
            }),
            threads: Vec::with_capacity(THREADS),
        };
        let (begun, all_begun) = sync_channel(THREADS);
        for _ in 0..THREADS {
            pool.threads.push(pool.shared.spawn(begun.clone())?);
        }
        let count = all_begun.iter().take(THREADS).count();
        debug_assert_eq!(count, THREADS);
        Ok(pool)
    }

    pub(super) fn file(&self) -> &OwnedFd {
        &self.shared.file
    }

    /// Has an operation done by a thread.
    pub(super) async fn run(&self, operation: Operation) -> Result<Vec<u8>, Error> {
        let request = Request {
            shared: &self.shared,
            reply: Arc::default(),
        };
        let reply = Arc::clone(&request.reply);
        self.shared.lock().jobs.push_back(Job { operation, reply });
        self.shared.work.notify_one();
        request.reply.done.wait().await;
        let result = lock(&request.reply.result).take();
        result.expect("a thread signals when it has stored the result")
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.work.notify_all();
        for thread in self.threads.drain(..) {
            // A thread that has panicked has reported that itself.
            let _ = thread.join();
        }
    }
}

/// Somebody waits for a reply. The queue holds no jobs of others.
struct Request<'a> {
    shared: &'a Shared,
    reply: Arc<Reply>,
}

impl Drop for Request<'_> {
    fn drop(&mut self) {
        // A thread has a reply as long as it works for it, and the queue as long as it has not.
        if Arc::strong_count(&self.reply) == 1 {
            return;
        }
        let mut queue = self.shared.lock();
        let is_mine = |job: &Job| Arc::ptr_eq(&job.reply, &self.reply);
        let removed = queue.jobs.iter().position(is_mine);
        let removed = removed.and_then(|index| queue.jobs.remove(index));
        // Its buffer is freed without the lock.
        drop(queue);
        drop(removed);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    fn spawn(self: &Arc<Self>, begun: SyncSender<()>) -> io::Result<JoinHandle<()>> {
        let shared = Arc::clone(self);
        let builder = Builder::new().name("disk".to_string()).stack_size(STACK);
        builder.spawn(move || {
            // Whoever starts the threads waits for them.
            let _ = begun.send(());
            drop(begun);
            shared.work();
        })
    }

    fn work(&self) {
        while let Some(Job { operation, reply }) = self.next() {
            let result = operation.run(&self.file);
            *lock(&reply.result) = Some(result);
            reply.done.signal();
        }
    }

    /// Waits for a job; `None` when the queue was closed.
    fn next(&self) -> Option<Job> {
        let mut queue = self.lock();
        loop {
            if queue.is_closed {
                return None;
            }
            if let Some(job) = queue.jobs.pop_front() {
                return Some(job);
            }
            let waited = self.work.wait(queue);
            queue = waited.expect(HARMLESS);
        }
    }
}

const HARMLESS: &str = "nothing panics while it holds the lock";

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect(HARMLESS)
}
