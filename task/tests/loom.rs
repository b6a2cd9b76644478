//! The way of a wake-up, under every interleaving: from an interrupt over the bits that it
//! sets, the idle loop's last look and the halt, to the event, the waker and the ready queue.
//!
//! The bits are the machine's own code, `boot/src/platform/vm/pending.rs`. Its handler, in assembly,
//! is an atomic "or"; the interrupt flag is a lock, which the handler takes to run and the
//! idle loop to hold it back; a halt, which lets interrupts in as it begins, is a wait on a
//! condition variable. A wake-up that is lost shows as a deadlock. Variants with one
//! mistake each show that the model finds it.
#![cfg(loom)]

#[path = "../../boot/src/platform/vm/pending.rs"]
mod pending;

use fata_task::{Event, Executor, Idle, Unparker};
use fata_time::{FakeClock, Instant};
use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use loom::sync::{Condvar, Mutex};
use std::future::poll_fn;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Where the idle loop looks for interrupts the last time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LastLook {
    /// With interrupts held back until the halt.
    Masked,
    /// Before that: a mistake.
    TooEarly,
}

/// A processor with its interrupts.
struct Machine {
    pending: AtomicU64,
    events: [Event; 2],
    /// Held while interrupts are off. True if one came since the halt began.
    interrupted: Mutex<bool>,
    halt: Condvar,
    last_look: LastLook,
}

impl Machine {
    fn new(last_look: LastLook) -> Arc<Self> {
        Arc::new(Self {
            pending: AtomicU64::new(0),
            events: Default::default(),
            interrupted: Mutex::new(false),
            halt: Condvar::new(),
            last_look,
        })
    }

    /// Acts as the processor does when a device interrupts it.
    fn interrupt(&self, index: usize) {
        let mut interrupted = self.interrupted.lock().unwrap();
        self.pending.fetch_or(1 << index, Ordering::AcqRel);
        *interrupted = true;
        self.halt.notify_one();
    }
}

impl Idle for Machine {
    fn poll(&self) {
        pending::take(&self.pending, |index| self.events[index].signal());
    }

    fn wait(&self, deadline: Option<Instant>) {
        assert_eq!(deadline, None, "no task sleeps here");
        let early = pending::is_any(&self.pending);
        let mut interrupted = self.interrupted.lock().unwrap();
        let waits = match self.last_look {
            LastLook::Masked => !pending::is_any(&self.pending),
            LastLook::TooEarly => !early,
        };
        if waits {
            *interrupted = false;
            while !*interrupted {
                interrupted = self.halt.wait(interrupted).unwrap();
            }
        }
        drop(interrupted);
        self.poll();
    }
}

/// A process: it waits until its unparker is called.
#[derive(Default)]
struct Process(Arc<Parking>);

#[derive(Default)]
struct Parking {
    unparked: Mutex<bool>,
    change: Condvar,
}

impl Idle for Process {
    fn poll(&self) {}

    fn wait(&self, _: Option<Instant>) {
        let mut unparked = self.0.unparked.lock().unwrap();
        while !*unparked {
            unparked = self.0.change.wait(unparked).unwrap();
        }
        *unparked = false;
    }

    fn unparker(&self) -> Option<Unparker> {
        let parking = Arc::clone(&self.0);
        Some(Arc::new(move || {
            *parking.unparked.lock().unwrap() = true;
            parking.change.notify_one();
        }))
    }
}

/// Tries all courses of `test` with at most this many switches of a thread that could go on.
fn model(preemptions: usize, test: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(test);
}

/// Never dropped: that takes a lock of loom's, which a model that has deadlocked cannot.
fn executor() -> ManuallyDrop<Executor> {
    ManuallyDrop::new(Executor::new(FakeClock::at(Duration::ZERO)))
}

fn one_interrupt_wakes(last_look: LastLook) {
    let machine = Machine::new(last_look);
    let device = Arc::clone(&machine);
    let device = loom::thread::spawn(move || device.interrupt(0));
    executor().block_on(&*machine, machine.events[0].wait());
    device.join().unwrap();
}

#[test]
fn an_interrupt_at_any_moment_wakes() {
    model(4, || one_interrupt_wakes(LastLook::Masked));
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_look_with_interrupts_on_is_too_early() {
    model(4, || one_interrupt_wakes(LastLook::TooEarly));
}

/// Two devices, and one of them twice, each with a task of its own that is joined.
#[test]
fn joined_tasks_are_woken_by_their_devices() {
    model(2, || {
        let machine = Machine::new(LastLook::Masked);
        let devices = [0, 1].map(|index| {
            let machine = Arc::clone(&machine);
            loom::thread::spawn(move || machine.interrupt(index))
        });
        let executor = executor();
        let tasks = executor.handle();
        executor.block_on(&*machine, async {
            let waits = [0, 1].map(|index| {
                let machine = Arc::clone(&machine);
                tasks.spawn(async move { machine.events[index].wait().await })
            });
            for wait in waits {
                assert_eq!(wait.await, Ok(()));
            }
        });
        for device in devices {
            device.join().unwrap();
        }
    });
}

/// One device twice: as the two may be seen as one, the task says when it is ready for the
/// second, from the processor to the device.
#[test]
fn a_signal_between_two_waits_is_kept() {
    model(3, || {
        let machine = Machine::new(LastLook::Masked);
        let seen = Arc::new(AtomicBool::new(false));
        let device = {
            let (machine, seen) = (Arc::clone(&machine), Arc::clone(&seen));
            loom::thread::spawn(move || {
                machine.interrupt(0);
                if seen.load(Ordering::Acquire) {
                    machine.interrupt(0);
                }
                machine.interrupt(1);
            })
        };
        executor().block_on(&*machine, async {
            machine.events[0].wait().await;
            seen.store(true, Ordering::Release);
            machine.events[1].wait().await;
        });
        device.join().unwrap();
    });
}

/// An event as [`Event`], but without the look under the lock: a mistake.
#[derive(Default)]
struct Hasty {
    signalled: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

/// The operations that the two kinds of event have in common.
trait Signal: Default + Send + Sync + 'static {
    fn signal(&self);
    fn poll_wait(&self, context: &mut Context<'_>) -> Poll<()>;
}

impl Signal for Event {
    fn signal(&self) {
        Event::signal(self);
    }

    fn poll_wait(&self, context: &mut Context<'_>) -> Poll<()> {
        Event::poll_wait(self, context)
    }
}

impl Signal for Hasty {
    fn signal(&self) {
        self.signalled.store(true, Ordering::Release);
        let waker = self.waker.lock().unwrap().take();
        waker.into_iter().for_each(Waker::wake);
    }

    fn poll_wait(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.signalled.swap(false, Ordering::Acquire) {
            return Poll::Ready(());
        }
        *self.waker.lock().unwrap() = Some(context.waker().clone());
        Poll::Pending
    }
}

/// Another thread signals an event, and then ends the platform's wait.
fn a_thread_signals<S: Signal>() {
    let machine = Machine::new(LastLook::Masked);
    let event = Arc::new(S::default());
    let thread = {
        let (machine, event) = (Arc::clone(&machine), Arc::clone(&event));
        loom::thread::spawn(move || {
            event.signal();
            machine.interrupt(1);
        })
    };
    executor().block_on(&*machine, poll_fn(|context| event.poll_wait(context)));
    thread.join().unwrap();
}

#[test]
fn a_signal_from_another_thread_wakes() {
    model(4, a_thread_signals::<Event>);
}

/// Two threads that know nothing of the platform, and a task that waits for each in turn.
#[test]
fn a_wake_from_another_thread_unparks() {
    model(3, || {
        let events = [Arc::new(Event::new()), Arc::new(Event::new())];
        let threads = events
            .clone()
            .map(|event| loom::thread::spawn(move || event.signal()));
        executor().block_on(&Process::default(), async {
            for event in events {
                event.wait().await;
            }
        });
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
#[should_panic(expected = "deadlock")]
fn an_event_that_does_not_look_after_arming_loses_a_signal() {
    model(4, a_thread_signals::<Hasty>);
}

/// Whoever finds a task queued already leaves it at that; the task's next poll still has to
/// see what was done before.
#[test]
fn a_wake_of_a_queued_task_is_seen_by_its_poll() {
    model(4, || {
        let machine = Machine::new(LastLook::Masked);
        let done = Arc::new(AtomicBool::new(false));
        let mut thread = None;
        executor().block_on(
            &*machine,
            poll_fn(|context| {
                thread.get_or_insert_with(|| {
                    let (machine, done) = (Arc::clone(&machine), Arc::clone(&done));
                    let waker = context.waker().clone();
                    loom::thread::spawn(move || {
                        waker.wake_by_ref();
                        done.store(true, Ordering::Relaxed);
                        waker.wake();
                        machine.interrupt(1);
                    })
                });
                if done.load(Ordering::Relaxed) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            }),
        );
        if let Some(thread) = thread {
            thread.join().unwrap();
        }
    });
}
