//! The event loop of a process: epoll, edge-triggered.

use super::busy_poll::{BusyPoll, POLL_TIME};
use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::time::Duration;
use fata_task::{Idle, Reactor, Readiness, Unparker};
use fata_time::{Clock, HostClock, Instant};
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::io::Errno;
use slab::Slab;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;

/// How many changes one call of the host can report.
const BATCH: usize = 256;
/// While tasks stay ready, the host is asked for changes at most this often.
const POLL_INTERVAL: Duration = Duration::from_micros(50);
/// The host is never asked to wait for longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(86_400);

/// Passes the time when no task is ready. Clones share one event loop.
#[derive(Clone)]
pub(crate) struct Idler {
    event_loop: Rc<EventLoop>,
}

/// The process's event loop, for the thread that calls.
///
/// # Panics
/// If the host refuses descriptors for it.
pub(crate) fn idle() -> Idler {
    let (epoll, wakes) =
        descriptors().expect("the event loop needs descriptors; raise the limit of open files");
    Idler {
        event_loop: Rc::new(EventLoop {
            epoll,
            wakes: Arc::new(wakes),
            watched: RefCell::default(),
            changes: RefCell::new(Vec::with_capacity(BATCH)),
            polled: Cell::default(),
            busy_poll: RefCell::default(),
        }),
    }
}

/// The event loop, and a descriptor that it watches.
fn descriptors() -> io::Result<(OwnedFd, OwnedFd)> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let wakes = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    // Each write is a change, so nobody has to read what was written.
    let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
    epoll::add(&epoll, &wakes, WAKES, flags)?;
    Ok((epoll, wakes))
}

/// The event loop's key of the descriptor that other threads write to; it watches nothing else
/// under that key.
const WAKES: epoll::EventData = epoll::EventData::new_u64(u64::MAX);

impl Idler {
    /// The event loop, for those who own descriptors.
    pub(crate) fn reactor(&self) -> Rc<dyn Reactor> {
        Rc::clone(&self.event_loop) as _
    }
}

impl Idle for Idler {
    fn poll(&self) {
        let now = HostClock.now();
        if now - self.event_loop.polled.get() >= POLL_INTERVAL {
            self.event_loop.turn(Some(Duration::ZERO));
            self.event_loop.polled.set(now);
        }
    }

    fn wait(&self, deadline: Option<Instant>) {
        let timeout = deadline.map(|deadline| deadline - HostClock.now());
        self.event_loop.wait(timeout);
    }

    fn unparker(&self) -> Option<Unparker> {
        let owner = thread::current().id();
        let wakes = Arc::clone(&self.event_loop.wakes);
        // The platform's own thread wakes tasks of what a wait has reported: that wait is over.
        Some(Arc::new(move || {
            if thread::current().id() != owner {
                // It fails when the count is at its end, after 2^64 writes.
                let _ = rustix::io::write(wakes.as_fd(), &1_u64.to_ne_bytes());
            }
        }))
    }
}

struct EventLoop {
    epoll: OwnedFd,
    /// Other threads that wake tasks write here.
    wakes: Arc<OwnedFd>,
    watched: RefCell<Slab<Rc<Readiness>>>,
    changes: RefCell<Vec<epoll::Event>>,
    /// When the host was asked without waiting last.
    polled: Cell<Instant>,
    busy_poll: RefCell<BusyPoll>,
}

impl EventLoop {
    /// Waits for changes for at most `timeout`, and busy-polls for them first if that is quicker.
    fn wait(&self, timeout: Option<Duration>) {
        let polls = self.busy_poll.borrow().polls();
        let mut changes = match polls {
            true => self.poll_busily(timeout.map_or(POLL_TIME, |timeout| timeout.min(POLL_TIME))),
            false => 0,
        };
        let in_vain = polls && changes == 0;
        if changes == 0 {
            changes = self.turn(timeout);
        }
        let now = HostClock.now();
        self.polled.set(now);
        self.busy_poll.borrow_mut().end_wait(now, changes, in_vain);
    }

    /// Asks the host for changes again and again, until there are some. Returns how many.
    fn poll_busily(&self, limit: Duration) -> usize {
        let begin = HostClock.now();
        loop {
            let changes = self.turn(Some(Duration::ZERO));
            if changes > 0 || HostClock.now() - begin >= limit {
                return changes;
            }
        }
    }

    /// Waits for changes for at most `timeout`, and signals their events. Returns how many.
    fn turn(&self, timeout: Option<Duration>) -> usize {
        // The host rounds up to its own precision, so that no deadline is met too early
        // and then polled for in a hot loop.
        let timeout = timeout.map(|timeout| {
            let timeout = timeout.min(LONGEST_WAIT);
            Timespec {
                tv_sec: timeout.as_secs() as i64,
                tv_nsec: timeout.subsec_nanos().into(),
            }
        });
        let mut changes = self.changes.borrow_mut();
        changes.clear();
        let buffer = rustix::buffer::spare_capacity(&mut changes);
        match epoll::wait(&self.epoll, buffer, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => panic!("the host's event loop failed: {error}"),
        }
        let watched = self.watched.borrow();
        for change in changes.iter() {
            let (key, flags) = (change.data.u64(), change.flags);
            if let Some(readiness) = watched.get(key as usize) {
                signal(readiness, flags);
            }
        }
        changes.len()
    }
}

fn signal(readiness: &Readiness, flags: epoll::EventFlags) {
    use epoll::EventFlags as Flags;
    let ended = flags.intersects(Flags::RDHUP | Flags::HUP | Flags::ERR);
    if ended {
        readiness.end();
    }
    if ended || flags.intersects(Flags::IN) {
        readiness.readable.signal();
    }
    if flags.intersects(Flags::OUT | Flags::HUP | Flags::ERR) {
        readiness.writable.signal();
    }
}

impl Reactor for EventLoop {
    fn register(&self, descriptor: BorrowedFd<'_>) -> io::Result<(usize, Rc<Readiness>)> {
        use epoll::EventFlags as Flags;
        let readiness = Rc::new(Readiness::default());
        let mut watched = self.watched.borrow_mut();
        let entry = watched.vacant_entry();
        let key = entry.key();
        let data = epoll::EventData::new_u64(key as u64);
        let flags = Flags::IN | Flags::OUT | Flags::RDHUP | Flags::ET;
        epoll::add(&self.epoll, descriptor, data, flags)?;
        entry.insert(Rc::clone(&readiness));
        Ok((key, readiness))
    }

    fn deregister(&self, key: usize) {
        self.watched.borrow_mut().try_remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fata_task::{Event, Executor, Registration};
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    #[test]
    fn reports_bytes_and_the_end() {
        let idler = idle();
        let executor = Executor::new(HostClock);
        let (mut near, mut far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let registration = Registration::new(&idler.reactor(), &near).unwrap();
        executor.block_on(&idler, async {
            far.write_all(b"x").unwrap();
            registration.readable.wait().await;
            assert!(!registration.has_ended());
            assert_eq!(near.read(&mut [0; 2]).unwrap(), 1);
            drop(far);
            registration.readable.wait().await;
            assert!(registration.has_ended());
        });
        assert_eq!(idler.event_loop.watched.borrow().len(), 1);
        drop(registration);
        assert!(idler.event_loop.watched.borrow().is_empty());
    }

    #[test]
    fn sleeps_are_never_short_and_do_not_spin() {
        let idler = idle();
        let executor = Executor::new(HostClock);
        let tasks = executor.handle();
        executor.block_on(&idler, async {
            for micros in [1, 900, 1_100, 2_500] {
                let (start, duration) = (tasks.now(), Duration::from_micros(micros));
                tasks.sleep(duration).await;
                assert!(tasks.now() - start >= duration);
            }
        });
    }

    #[test]
    fn another_thread_ends_the_wait() {
        let idler = idle();
        let executor = Executor::new(HostClock);
        let (sender, receiver) = std::sync::mpsc::channel::<Arc<Event>>();
        let waker = thread::spawn(move || {
            for event in receiver {
                // Most of the time the executor waits by then, at times not yet.
                thread::yield_now();
                event.signal();
            }
        });
        executor.block_on(&idler, async {
            for _ in 0..1_000 {
                let event = Arc::new(Event::new());
                sender.send(Arc::clone(&event)).unwrap();
                event.wait().await;
            }
        });
        drop(sender);
        waker.join().unwrap();
    }

    #[test]
    fn busy_tasks_do_not_starve_descriptors() {
        let idler = idle();
        let executor = Executor::new(HostClock);
        let (near, mut far) = UnixStream::pair().unwrap();
        let registration = Registration::new(&idler.reactor(), &near).unwrap();
        executor.handle().spawn(async {
            loop {
                fata_task::yield_now().await;
            }
        });
        executor.block_on(&idler, async {
            far.write_all(b"x").unwrap();
            registration.readable.wait().await;
        });
    }
}
