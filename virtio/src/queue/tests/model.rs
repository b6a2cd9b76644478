//! Random sequences of steps of both sides, held against lists.

use super::*;
use crate::fake::Chain;
use proptest::prelude::*;
use std::collections::VecDeque;

#[derive(Clone, Debug)]
enum Step {
    Add { readable: usize, writable: usize },
    Publish,
    Pop,
    Interrupts(bool),
    Take,
    Complete { which: usize, length: usize },
    Notifications(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4usize, 0..4usize)
            .prop_filter("not empty", |(readable, writable)| readable + writable > 0)
            .prop_map(|(readable, writable)| Step::Add { readable, writable }),
        2 => Just(Step::Publish),
        4 => Just(Step::Pop),
        1 => any::<bool>().prop_map(Step::Interrupts),
        4 => Just(Step::Take),
        4 => (0..8usize, 0..4usize).prop_map(|(which, length)| Step::Complete { which, length }),
        1 => any::<bool>().prop_map(Step::Notifications),
    ]
}

/// The notifications that either side wants, with indices that do not wrap.
struct Wish {
    events: bool,
    on: bool,
    event: u64,
}

impl Wish {
    /// The other side has gone from `old` to `new`.
    fn is_met(&self, old: u64, new: u64) -> bool {
        if self.events {
            (old..new).contains(&self.event)
        } else {
            self.on
        }
    }

    fn set(&mut self, on: bool, next: u64) {
        self.on = on;
        self.event = if on { next } else { next - 1 };
    }
}

struct Entry {
    readable: Vec<u8>,
    writable: usize,
    descriptors: usize,
}

/// Both sides, and where each entry must be.
struct World {
    fake: FakeDevice,
    queue: Queue,
    device: DeviceQueue,
    indirect: bool,
    serial: u8,
    free: usize,
    added: VecDeque<Entry>,
    published: VecDeque<Entry>,
    taken: Vec<(Entry, Chain)>,
    returned: VecDeque<(Entry, Vec<u8>)>,
    /// Entries ever published, taken, returned, told of, popped.
    counts: [u64; 5],
    notifications: Wish,
    interrupts: Wish,
}

/// How many indices there are.
const ROUND: u64 = 1 << 16;

const PUBLISHED: usize = 0;
const TAKEN: usize = 1;
const RETURNED: usize = 2;
const TOLD: usize = 3;
const POPPED: usize = 4;

impl World {
    fn new(features: u64, size: u16, start: u16) -> Self {
        let (fake, mut queue) = open(features, size.into(), size);
        let mut device = fake.queue(0);
        start_at(&mut queue, &mut device, start);
        let events = features & feature::EVENT_INDEX != 0;
        // Fresh rings have zeros in them: with events, that is a wish for index 0. There was a
        // round of indices before.
        let wish = || Wish {
            events,
            on: true,
            event: if start == 0 { ROUND } else { 2 * ROUND },
        };
        Self {
            fake,
            queue,
            device,
            indirect: features & feature::INDIRECT_DESCRIPTORS != 0,
            serial: 0,
            free: size.into(),
            added: VecDeque::new(),
            published: VecDeque::new(),
            taken: Vec::new(),
            returned: VecDeque::new(),
            counts: [ROUND + u64::from(start); 5],
            notifications: wish(),
            interrupts: wish(),
        }
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Add { readable, writable } => self.add(readable, writable),
            Step::Publish => self.publish(),
            Step::Pop => self.pop(),
            Step::Take => self.take(),
            Step::Complete { which, length } => self.complete(which, length),
            Step::Interrupts(true) => {
                let ready = self.queue.enable_interrupts();
                assert_eq!(ready, Ok(!self.returned.is_empty()));
                self.interrupts.set(true, self.counts[POPPED]);
            }
            Step::Interrupts(false) => {
                // A second time nothing changes.
                if self.interrupts.on {
                    self.interrupts.set(false, self.counts[POPPED]);
                }
                self.queue.disable_interrupts();
            }
            Step::Notifications(true) => {
                self.device.enable_notifications();
                self.notifications.set(true, self.counts[TAKEN]);
            }
            Step::Notifications(false) => {
                self.device.disable_notifications();
                self.notifications.set(false, self.counts[TAKEN]);
            }
        }
        let shown = self.published.len() + self.taken.len() + self.returned.len();
        assert_eq!(self.queue.held(), self.added.len() + shown);
        assert_eq!(usize::from(self.queue.waiting()), self.returned.len());
        let room = if self.indirect {
            self.free
        } else {
            self.free / 2
        };
        assert_eq!(self.queue.has_room(2), room > 0);
    }

    fn add(&mut self, readable: usize, writable: usize) {
        let both = usize::from(readable > 0) + usize::from(writable > 0);
        let descriptors = if self.indirect { 1 } else { both };
        self.serial = self.serial.wrapping_add(1);
        let readable = vec![self.serial; readable];
        let added = self.queue.add(request(&readable, writable));
        assert_eq!(added.is_ok(), descriptors <= self.free);
        if added.is_ok() {
            self.free -= descriptors;
            self.added.push_back(Entry {
                readable,
                writable,
                descriptors,
            });
        }
    }

    fn publish(&mut self) {
        let old = self.counts[PUBLISHED];
        let new = old + self.added.len() as u64;
        self.counts[PUBLISHED] = new;
        self.published.append(&mut self.added);
        let wanted = new != old && self.notifications.is_met(old, new);
        assert_eq!(self.queue.publish(), wanted);
        assert_eq!(self.fake.take_notifications(0), usize::from(wanted));
    }

    fn take(&mut self) {
        let chain = self.device.take();
        assert_eq!(chain.is_some(), !self.published.is_empty());
        if let (Some(chain), Some(entry)) = (chain, self.published.pop_front()) {
            assert_eq!(chain.readable, entry.readable);
            assert_eq!(chain.room(), entry.writable);
            self.counts[TAKEN] += 1;
            self.taken.push((entry, chain));
        }
    }

    fn complete(&mut self, which: usize, length: usize) {
        if self.taken.is_empty() {
            return;
        }
        let (entry, chain) = self.taken.swap_remove(which % self.taken.len());
        let bytes = vec![!self.serial; length.min(entry.writable)];
        let interrupted = self.device.complete(&chain, &bytes);
        self.counts[RETURNED] += 1;
        let (told, returned) = (self.counts[TOLD], self.counts[RETURNED]);
        assert_eq!(interrupted, self.interrupts.is_met(told, returned));
        self.counts[TOLD] = returned;
        self.returned.push_back((entry, bytes));
    }

    fn pop(&mut self) {
        let used = self.queue.pop().expect("the device is honest");
        assert_eq!(used.is_some(), !self.returned.is_empty());
        if let (Some(used), Some((entry, bytes))) = (used, self.returned.pop_front()) {
            let (readable, writable) = used.buffer;
            assert_eq!(readable.into_memory(), entry.readable);
            let writable = writable.into_memory();
            assert_eq!(
                (writable.len(), used.written),
                (entry.writable, bytes.len())
            );
            assert_eq!(writable[..used.written], bytes);
            self.free += entry.descriptors;
            self.counts[POPPED] += 1;
        }
    }
}

fn features() -> impl Strategy<Value = u64> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(modern, events, indirect)| {
        let bit = |on, feature| if on { feature } else { 0 };
        bit(modern, feature::VERSION_1)
            | bit(events, feature::EVENT_INDEX)
            | bit(indirect, feature::INDIRECT_DESCRIPTORS)
    })
}

proptest! {
    #[test]
    fn both_sides_agree(
        features in features(),
        shift in 0..4u32,
        start in prop_oneof![Just(0u16), 65_500..=65_535u16],
        steps in prop::collection::vec(step(), 1..300),
    ) {
        let size = 1 << shift;
        let mut world = World::new(features, size, start);
        steps.iter().for_each(|step| world.run(step));
        drop(world);
        assert_nothing_shared();
    }
}

#[test]
fn indices_wrap() {
    for features in [0, ALL] {
        let mut world = World::new(features, 8, 0);
        for step in [Step::Notifications(true), Step::Interrupts(true)] {
            world.run(&step);
        }
        for round in 0..70_000 {
            let (readable, writable) = (1 + round % 2, round % 3);
            let [which, length] = [round % 2, round % 3];
            for step in [
                Step::Add { readable, writable },
                Step::Publish,
                Step::Take,
                Step::Notifications(round % 5 != 0),
                Step::Complete { which, length },
                Step::Pop,
                Step::Interrupts(round % 7 != 0),
            ] {
                world.run(&step);
            }
        }
    }
}
