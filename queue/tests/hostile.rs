//! Disks that an enemy has made, with the right checksums: an error or a queue that works, never
//! a panic, never without an end.

mod support;

use fata_block::{Faults, FaultyDisk};
use fata_queue::{Error, OpenError, Queue};
use fata_task::{Handle, simulate};
use proptest::prelude::*;
use std::rc::Rc;
use support::{SLOTS, get, item, number, open, put};
use twox_hash::XxHash64;

/// Bytes of a slot, of an index's header, and of an entry, as the crate's documentation has them.
const SLOT: usize = 64 << 10;
const HEADER: usize = 48;
const ENTRY: usize = 24;

/// Sectors of the ring.
const RING: u64 = 40;
const ITEMS: u64 = 6;
/// More steps than anything on so small a disk takes.
const MANY_STEPS: u64 = 50_000;

/// A queue with a few items, one of which lies around the ring's end.
fn image() -> Vec<u8> {
    simulate(|tasks| async move {
        let sectors = SLOTS + RING;
        let disk = Rc::new(FaultyDisk::new(512, sectors, 1));
        let queue = open(Rc::clone(&disk), &tasks).await;
        for number in 0..ITEMS {
            put(&queue, &item(number, 3000)).await.expect("it has room");
        }
        for number in ITEMS..2 * ITEMS {
            get(&queue).await.expect("it was put in");
            assert_eq!(queue.remove().await, Ok(true));
            put(&queue, &item(number, 3000)).await.expect("it has room");
        }
        disk.contents()
    })
}

/// One change of an index.
#[derive(Clone, Copy, Debug)]
struct Forgery {
    in_second_slot: bool,
    /// Which of its numbers of eight bytes, from the sector's size on.
    field: usize,
    change: Change,
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Set(u64),
    Add(i8),
    /// To ones only, behind so many zeroes.
    Ones(u32),
    Byte(usize, u8),
}

impl Forgery {
    fn apply(self, image: &mut [u8]) {
        let slot = &mut image[usize::from(self.in_second_slot) * SLOT..][..SLOT];
        let number = &mut slot[16 + 8 * self.field..][..8];
        let mut bytes = [0; 8];
        bytes.copy_from_slice(number);
        let old = u64::from_le_bytes(bytes);
        let new = match self.change {
            Change::Set(value) => value,
            Change::Add(value) => old.wrapping_add_signed(i64::from(value)),
            Change::Ones(bits) => u64::MAX >> bits,
            Change::Byte(at, value) => {
                bytes[at] = value;
                u64::from_le_bytes(bytes)
            }
        };
        number.copy_from_slice(&new.to_le_bytes());
    }
}

/// Makes the checksum of an index right, as far as what it covers exists.
fn reseal(slot: &mut [u8]) {
    let count = u32::from_le_bytes([slot[20], slot[21], slot[22], slot[23]]) as usize;
    if let Some(covered) = slot.get(16..HEADER + ENTRY * count) {
        let sum = XxHash64::oneshot(0, covered);
        slot[8..16].copy_from_slice(&sum.to_le_bytes());
    }
}

/// Uses a queue up and fills it again. `None` if it cannot be opened; else how many items were as
/// they should be.
async fn use_up(tasks: &Handle, disk: &Rc<FaultyDisk>) -> Option<usize> {
    let opened = Queue::open(Rc::clone(disk), tasks.clone(), 2).await;
    let queue = match opened {
        Ok(queue) => queue,
        Err(OpenError::Disk(error)) => panic!("the disk has no faults: {error}"),
        Err(_) => return None,
    };
    let mut sound = 0;
    while !queue.is_empty() {
        match get(&queue).await {
            Ok(_) => sound += 1,
            Err(error) => assert_eq!(error, Error::Corrupt),
        }
        assert_eq!(queue.remove().await, Ok(true));
    }
    for wanted in 100..103 {
        match put(&queue, &item(wanted, 2000)).await {
            Ok(()) => {
                let found = get(&queue).await.expect("it was put in");
                assert_eq!(number(&found), Some(wanted));
                assert_eq!(queue.remove().await, Ok(true));
            }
            Err(error) => assert_eq!(error, Error::Full),
        }
    }
    let last = put(&queue, &item(103, 500)).await;
    assert!(matches!(last, Ok(()) | Err(Error::Full)), "{last:?}");
    let left = queue.len();
    drop(queue);
    let again = open(Rc::clone(disk), tasks).await;
    assert_eq!(again.len(), left);
    Some(sound)
}

fn run(image: Vec<u8>) -> Option<usize> {
    simulate(|tasks| async move {
        let disk = Rc::new(FaultyDisk::from_bytes(512, image, 1));
        disk.set_faults(Faults {
            cut_after: Some(MANY_STEPS),
            ..Faults::default()
        });
        let sound = use_up(&tasks, &disk).await;
        assert!(!disk.is_gone(), "something came to no end");
        sound
    })
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (0..400_u64).prop_map(Change::Set),
        any::<i8>().prop_map(Change::Add),
        // One zero makes the last number that is taken, and a queue would count on beyond it.
        prop_oneof![Just(0), 2..64_u32].prop_map(Change::Ones),
        (0..8_usize, any::<u8>()).prop_map(|(at, value)| Change::Byte(at, value)),
    ]
}

fn forgery() -> impl Strategy<Value = Forgery> {
    let fields = 4 + 3 * ITEMS as usize;
    (any::<bool>(), 0..fields, change()).prop_map(|(in_second_slot, field, change)| Forgery {
        in_second_slot,
        field,
        change,
    })
}

#[test]
fn what_is_forged_begins_as_a_queue() {
    let mut image = image();
    assert_eq!(run(image.clone()), Some(ITEMS as usize));
    for slot in image[..2 * SLOT].chunks_mut(SLOT) {
        let sum = slot[8..16].to_vec();
        reseal(slot);
        assert_eq!(slot[8..16], sum, "the checksum is the format's");
    }
}

#[test]
fn an_item_that_is_not_as_it_was_is_the_only_one_lost() {
    let mut image = image();
    let forgery = Forgery {
        in_second_slot: false,
        field: 6,
        change: Change::Add(1),
    };
    for in_second_slot in [false, true] {
        let forgery = Forgery {
            in_second_slot,
            ..forgery
        };
        forgery.apply(&mut image);
    }
    image[..2 * SLOT].chunks_mut(SLOT).for_each(reseal);
    assert_eq!(run(image), Some(ITEMS as usize - 1));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_hostile_disk_is_an_error_or_a_queue(
        forgeries in proptest::collection::vec(forgery(), 1..8),
        in_both: bool,
        noise in proptest::collection::vec((0..2 * SLOT + RING as usize * 512, any::<u8>()), 0..4),
    ) {
        let mut image = image();
        for forgery in forgeries {
            forgery.apply(&mut image);
            if in_both {
                let in_second_slot = !forgery.in_second_slot;
                Forgery { in_second_slot, ..forgery }.apply(&mut image);
            }
        }
        image[..2 * SLOT].chunks_mut(SLOT).for_each(reseal);
        for (at, value) in noise {
            image[at] = value;
        }
        run(image);
    }
}
