//! The event loop of a process: epoll, edge-triggered.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::time::Duration;
use fata_task::{Idle, Reactor, Readiness};
use fata_time::{Clock, HostClock, Instant};
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use slab::Slab;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

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

/// The process's event loop.
///
/// # Panics
/// If the host refuses a descriptor for it.
pub(crate) fn idle() -> Idler {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)
        .expect("the event loop needs a descriptor; raise the limit of open files");
    Idler {
        event_loop: Rc::new(EventLoop {
            epoll,
            watched: RefCell::default(),
            changes: RefCell::new(Vec::with_capacity(BATCH)),
            polled: Cell::default(),
        }),
    }
}

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
        self.event_loop.turn(timeout);
    }
}

struct EventLoop {
    epoll: OwnedFd,
    watched: RefCell<Slab<Rc<Readiness>>>,
    changes: RefCell<Vec<epoll::Event>>,
    /// When the host was asked without waiting last.
    polled: Cell<Instant>,
}

impl EventLoop {
    /// Waits for changes for at most `timeout`, and signals their events.
    fn turn(&self, timeout: Option<Duration>) {
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
    use fata_task::{Executor, Registration};
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
