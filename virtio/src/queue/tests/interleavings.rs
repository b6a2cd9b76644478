//! Every interleaving of the queue's accesses with an honest device's steps, as x86 orders
//! memory: no interrupt and no notification is lost.
//!
//! The driver's stores wait until the search, or a full fence, lets them through; when does
//! not matter but to the device's loads. The device's steps are those of sections 2.7.7 and
//! 2.7.10, with the fences that they need.

use super::*;
use crate::fake::schedule::{Watch, delayed_stores, write_store};
use core::cell::RefCell;

/// Decisions, each with the number of its alternatives.
#[derive(Default)]
struct Choices {
    path: Vec<(usize, usize)>,
    position: usize,
}

impl Choices {
    fn choose(&mut self, alternatives: usize) -> usize {
        if self.position == self.path.len() {
            self.path.push((0, alternatives));
        }
        let (choice, known) = self.path[self.position];
        assert_eq!(known, alternatives, "a run repeats exactly");
        self.position += 1;
        choice
    }

    /// Goes on to the next path. Returns false after the last one.
    fn advance(&mut self) -> bool {
        self.position = 0;
        while let Some((choice, alternatives)) = self.path.pop() {
            if choice + 1 < alternatives {
                self.path.push((choice + 1, alternatives));
                return true;
            }
        }
        false
    }
}

/// A device that does a step when it is told to.
trait Actor: 'static {
    /// Returns whether there is a next step.
    fn can_act(&self) -> bool;

    /// Returns whether the next step reads what the driver writes.
    fn reads(&self) -> bool;

    fn act(&mut self);
}

struct World<A> {
    choices: Rc<RefCell<Choices>>,
    actor: A,
}

impl<A: Actor> World<A> {
    /// Lets the device act as often as the search says, after as many of the driver's stores.
    fn pass_time(&mut self) {
        while self.actor.can_act() {
            let stores = if self.actor.reads() {
                delayed_stores()
            } else {
                0
            };
            match self.choices.borrow_mut().choose(stores + 2) {
                0 => return,
                choice => (1..choice).for_each(|_| assert!(write_store())),
            }
            self.actor.act();
        }
    }
}

fn watch<A: Actor>(world: &Rc<RefCell<World<A>>>, fences: bool) -> Watch {
    let watched = Rc::clone(world);
    let watch = Watch::new(move || watched.borrow_mut().pass_time());
    watch.delay_stores(fences);
    watch
}

/// Runs along all paths. Returns how many there are, and how many of them `run` calls bad.
fn explore(mut run: impl FnMut(Rc<RefCell<Choices>>) -> bool) -> (usize, usize) {
    let choices = Rc::new(RefCell::new(Choices::default()));
    let (mut paths, mut bad) = (0, 0);
    loop {
        bad += usize::from(!run(Rc::clone(&choices)));
        paths += 1;
        if !choices.borrow_mut().advance() {
            return (paths, bad);
        }
    }
}

const EVENTS: u64 = feature::VERSION_1 | feature::EVENT_INDEX;

/// Near the wrap, where comparisons go wrong.
const START: u16 = u16::MAX;

/// Returns its chains, one by one, and interrupts.
struct Completer {
    fake: FakeDevice,
    device: DeviceQueue,
    chains: Vec<u16>,
    /// A chain was returned, and whether to interrupt is the next question.
    asks: bool,
}

impl Actor for Completer {
    fn can_act(&self) -> bool {
        !self.chains.is_empty() || self.asks
    }

    fn reads(&self) -> bool {
        self.asks
    }

    fn act(&mut self) {
        self.asks = !self.asks;
        if self.asks {
            let head = self.chains.pop().expect("it can act");
            self.device.put_used(head.into(), 0);
        } else if self.device.wants_interrupt() {
            self.fake.interrupt();
        }
    }
}

/// A driver pops, arms, looks again and sleeps, as drivers do. Tells whether it gets all buffers.
fn pops_all(features: u64, buffers: usize, fences: bool, choices: Rc<RefCell<Choices>>) -> bool {
    let (fake, mut queue) = open(features, 4, 4);
    let mut device = fake.queue(0);
    start_at(&mut queue, &mut device, START);
    queue.disable_interrupts();
    for _ in 0..buffers {
        queue.add(request(b"x", 0)).expect("there is room");
    }
    queue.publish();
    let chains = core::iter::from_fn(|| device.take().map(|chain| chain.head)).collect();
    let actor = Completer {
        fake: fake.clone(),
        device,
        chains,
        asks: false,
    };
    let world = Rc::new(RefCell::new(World { choices, actor }));
    let watch = watch(&world, fences);
    let mut popped = 0;
    loop {
        while queue.pop().expect("the device is honest").is_some() {
            popped += 1;
        }
        if popped == buffers {
            break;
        }
        if queue.enable_interrupts().expect("the device is honest") {
            queue.disable_interrupts();
            continue;
        }
        // Asleep: the device goes on, and the stores get through at some time.
        let mut world = world.borrow_mut();
        world.pass_time();
        while write_store() {}
        while world.actor.can_act() {
            world.actor.act();
        }
        if !fake.take_interrupt() {
            break;
        }
    }
    drop(watch);
    popped == buffers
}

#[test]
fn no_interrupt_is_lost() {
    for features in [feature::VERSION_1, EVENTS] {
        let (paths, lost) = explore(|choices| pops_all(features, 2, true, choices));
        assert_eq!(lost, 0, "of {paths}");
        assert!(paths > 1000, "{paths}");
    }
}

/// The search would find a fence that is missing.
#[test]
fn without_fences_interrupts_are_lost() {
    for features in [feature::VERSION_1, EVENTS] {
        let (paths, lost) = explore(|choices| pops_all(features, 1, false, choices));
        assert!(lost > 0, "of {paths}");
    }
}

/// Takes chains until there are none, asks for a notification, looks again, sleeps.
struct Taker {
    fake: FakeDevice,
    device: DeviceQueue,
    asleep: bool,
    asked: bool,
    taken: usize,
}

impl Actor for Taker {
    fn can_act(&self) -> bool {
        !self.asleep || self.fake.has_notifications(0)
    }

    fn reads(&self) -> bool {
        !self.asleep
    }

    fn act(&mut self) {
        if self.asleep {
            self.fake.take_notifications(0);
            self.device.disable_notifications();
            (self.asleep, self.asked) = (false, false);
        } else if let Some(chain) = self.device.take() {
            assert_eq!(chain.readable, b"x");
            self.taken += 1;
            self.asked = false;
        } else if self.asked {
            self.asleep = true;
        } else {
            self.device.enable_notifications();
            self.asked = true;
        }
    }
}

/// A driver publishes a batch a time. Tells whether the device gets all buffers.
fn takes_all(
    features: u64,
    batches: &[usize],
    fences: bool,
    choices: Rc<RefCell<Choices>>,
) -> bool {
    let (fake, mut queue) = open(features, 8, 8);
    let mut device = fake.queue(0);
    start_at(&mut queue, &mut device, START);
    device.disable_notifications();
    let actor = Taker {
        fake: fake.clone(),
        device,
        asleep: false,
        asked: false,
        taken: 0,
    };
    let world = Rc::new(RefCell::new(World { choices, actor }));
    for batch in batches {
        for _ in 0..*batch {
            queue.add(request(b"x", 0)).expect("there is room");
        }
        // Where the driver writes entries does not matter: the device cannot see them.
        let watch = watch(&world, fences);
        queue.publish();
        world.borrow_mut().pass_time();
        drop(watch);
    }
    let mut world = world.borrow_mut();
    while world.actor.can_act() {
        world.actor.act();
    }
    world.actor.taken == batches.iter().sum::<usize>()
}

#[test]
fn no_notification_is_lost() {
    for features in [feature::VERSION_1, EVENTS] {
        for batches in [&[1, 1][..], &[2, 1], &[3]] {
            let (paths, lost) = explore(|choices| takes_all(features, batches, true, choices));
            assert_eq!(lost, 0, "of {paths}");
            assert!(paths > 10, "{paths}");
        }
    }
}

/// The search would find a fence that is missing.
#[test]
fn without_fences_notifications_are_lost() {
    for features in [feature::VERSION_1, EVENTS] {
        let (paths, lost) = explore(|choices| takes_all(features, &[1], false, choices));
        assert!(lost > 0, "of {paths}");
    }
}
