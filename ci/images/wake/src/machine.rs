//! The tasks that raise interrupts and wait for them.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::time::Duration;
use fata_boot::Env;
use fata_boot::rand_core::Rng;
use fata_boot::test_interrupts::{Point, Source, raise, raise_at};
use fata_task::{Either, Event, Handle, JoinHandle, join, select, yield_now};

/// Tasks of each kind.
const WAITERS: usize = 8;
const SLEEPERS: usize = 4;
/// Wake-ups from one line about the progress to the next.
const PROGRESS: u64 = 50_000;
/// Up to 2^17 ns with QEMU's timer, which counts nanoseconds.
const LONGEST_COUNT: u32 = 17;
/// The first vector without a handler of its own, and the last, which is the spurious one.
const UNHANDLED: core::ops::RangeInclusive<u8> = 96..=255;
/// A vector with a handler, but without an owner: the last that would be allocated.
const UNOWNED: u8 = 95;

/// Rounds of tasks in which an interrupt is seen while one of them is always ready.
const BUSY_ROUNDS: u32 = 100_000;

/// How an interrupt is raised.
const MANNERS: [&str; 5] = ["at once", "before", "inside", "at the halt", "by the timer"];

/// Who waits in a run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Company {
    /// Many tasks, and none that sleeps: a lost wake-up halts the processor for ever.
    Crowd,
    /// Many tasks, and some that sleep.
    CrowdAndSleepers,
    /// One task, which only the timer wakes: at any moment around the halt.
    Alone,
}

/// The state that the tasks of one run share.
struct Run {
    tasks: Handle,
    company: Company,
    random: RefCell<fata_boot::Rng>,
    /// Wake-ups to go, in this run and all further ones, and how many are for those.
    left: Cell<u64>,
    end: u64,
    manners: [Cell<u64>; 5],
    slept: Cell<u64>,
    unexpected: Cell<u64>,
}

/// An interrupt is seen while a task is always ready. To be called before anything waits: the
/// processor has not been idle then.
///
/// # Errors
/// If it is not seen.
pub async fn wake_before_idle() -> Result<(), &'static str> {
    let source = Source::allocate().ok_or("all vectors are taken")?;
    // At once: the timer cannot be lent before the idle loop has measured it.
    raise(source.vector());
    let busy = async {
        for _ in 0..BUSY_ROUNDS {
            yield_now().await;
        }
    };
    match select(source.event().wait(), busy).await {
        Either::First(()) => Ok(()),
        Either::Second(()) => Err("an interrupt was not seen before the processor was idle"),
    }
}

/// Runs all tasks until of `left` wake-ups to go there are `end`.
///
/// # Errors
/// If the handlers counted more or fewer interrupts than were seen.
pub async fn run(env: &Env, company: Company, left: u64, end: u64) -> Result<(), String> {
    let run = Rc::new(Run {
        tasks: env.tasks.clone(),
        company,
        random: RefCell::new(env.rng().map_err(|error| error.to_string())?),
        left: Cell::new(left),
        end,
        manners: Default::default(),
        slept: Cell::new(0),
        unexpected: Cell::new(0),
    });
    // The idle loop measures its timer before that is lent.
    run.tasks.sleep(Duration::from_millis(5)).await;
    for task in spawn(&run)? {
        task.await.map_err(|_| "a task was cancelled")??;
    }
    for (name, count) in MANNERS.iter().zip(&run.manners) {
        log::info!("raised {name}: {}", count.get());
    }
    log::info!(
        "slept: {}, unexpected: {}",
        run.slept.get(),
        run.unexpected.get()
    );
    Ok(())
}

fn spawn(run: &Rc<Run>) -> Result<Vec<JoinHandle<Result<(), String>>>, &'static str> {
    let source = || Source::allocate().ok_or("all vectors are taken");
    let (waiters, sleepers) = match run.company {
        Company::Crowd => (WAITERS, 0),
        Company::CrowdAndSleepers => (WAITERS, SLEEPERS),
        Company::Alone => (1, 0),
    };
    let mut tasks = Vec::new();
    for _ in 0..waiters {
        tasks.push(run.tasks.spawn(wait_for_own(Rc::clone(run), source()?)));
    }
    if run.company != Company::Alone {
        tasks.push(run.tasks.spawn(wait_for_shared(Rc::clone(run), source()?)));
        tasks.push(run.tasks.spawn(wake_each_other(Rc::clone(run), source()?)));
    }
    for _ in 0..sleepers {
        tasks.push(run.tasks.spawn(sleep(Rc::clone(run))));
    }
    Ok(tasks)
}

impl Run {
    /// A wake-up was seen.
    fn count(&self) {
        if self.is_over() {
            return;
        }
        let left = self.left.get() - 1;
        self.left.set(left);
        if left.is_multiple_of(PROGRESS) {
            log::info!("{left} to go");
        }
    }

    fn is_over(&self) -> bool {
        self.left.get() <= self.end
    }

    fn random(&self, below: u32) -> u32 {
        self.random.borrow_mut().next_u32() % below
    }

    /// Up to 2^`bits`, each power of two as likely as the next.
    fn random_length(&self, bits: u32) -> u32 {
        self.random(1 << self.random(bits + 1)) + 1
    }

    /// Has `source` raise its interrupt once, now or soon.
    fn request(&self, source: &Source) {
        let mut manner = match self.company {
            Company::Alone => 4,
            _ => self.random(5),
        };
        if manner == 4 && !source.raise_after(self.random_length(LONGEST_COUNT)) {
            manner = 3;
        }
        let vector = source.vector();
        match manner {
            0 => raise(vector),
            1 => raise_at(Point::BeforeLook, vector),
            2 => raise_at(Point::Masked, vector),
            3 => raise_at(Point::AfterLook, vector),
            _ => {}
        }
        let count = &self.manners[manner as usize];
        count.set(count.get() + 1);
    }

    /// Now and then raises an interrupt that nobody waits for.
    fn disturb(&self) {
        if self.random(16) != 0 {
            return;
        }
        let unhandled = UNHANDLED.start() + self.random(UNHANDLED.len() as u32) as u8;
        let vector = match self.random(3) {
            0 => UNOWNED,
            1 => *UNHANDLED.end(),
            _ => unhandled,
        };
        match self.random(3) {
            0 => raise(vector),
            1 => raise_at(Point::Masked, vector),
            _ => raise_at(Point::AfterLook, vector),
        }
        self.unexpected.set(self.unexpected.get() + 1);
    }
}

/// One interrupt of its own at a time: as many are seen as were raised.
async fn wait_for_own(run: Rc<Run>, source: Source) -> Result<(), String> {
    let mut seen = 0;
    while !run.is_over() {
        run.disturb();
        run.request(&source);
        source.event().wait().await;
        seen += 1;
        run.count();
    }
    let (vector, raised) = (source.vector(), source.raised());
    if raised == seen {
        Ok(())
    } else {
        Err(format!("vector {vector}: {raised} raised, {seen} seen"))
    }
}

/// Several interrupts on one vector: they may be seen as one, but at least as one.
async fn wait_for_shared(run: Rc<Run>, source: Source) -> Result<(), String> {
    let mut seen = 0;
    while !run.is_over() {
        // Not before the look, or the processor would never halt.
        raise_at(Point::Masked, source.vector());
        raise_at(Point::AfterLook, source.vector());
        run.request(&source);
        source.event().wait().await;
        seen += 1;
        run.count();
    }
    let (vector, raised) = (source.vector(), source.raised());
    if raised >= seen {
        Ok(())
    } else {
        Err(format!(
            "shared vector {vector}: {raised} raised, {seen} seen"
        ))
    }
}

/// Two tasks that wake each other, between two dispatches.
async fn wake_each_other(run: Rc<Run>, source: Source) -> Result<(), String> {
    let (ping, pong) = (Event::new(), Event::new());
    let over = Cell::new(false);
    let first = async {
        while !run.is_over() {
            run.request(&source);
            source.event().wait().await;
            ping.signal();
            pong.wait().await;
            run.count();
        }
        over.set(true);
        ping.signal();
    };
    let second = async {
        loop {
            ping.wait().await;
            if over.get() {
                return;
            }
            run.count();
            pong.signal();
        }
    };
    join(first, second).await;
    Ok(())
}

/// Sleeps for nothing, for less than the timer can tell, and up to some 100 µs.
async fn sleep(run: Rc<Run>) -> Result<(), String> {
    while !run.is_over() {
        let nanoseconds = run.random_length(LONGEST_COUNT) - 1;
        let mut sleep = pin!(run.tasks.sleep(Duration::from_nanos(nanoseconds.into())));
        let mut waited = false;
        poll_fn(|context| {
            let polled = sleep.as_mut().poll(context);
            waited |= polled.is_pending();
            polled
        })
        .await;
        // One that was over at once was no wake-up. Others want their turn.
        if waited {
            run.slept.set(run.slept.get() + 1);
            run.count();
        } else {
            yield_now().await;
        }
    }
    Ok(())
}
