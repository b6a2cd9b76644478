//! Disks that an enemy has made: indices with anything in them, and with the right checksums. The
//! module `support` has to be beside this one.

use crate::support::{SLOTS, get, item, number, open, put};
use fata_block::{Faults, FaultyDisk};
use fata_queue::{Error, OpenError, Queue, check};
use fata_task::{Handle, simulate};
use std::rc::Rc;
use twox_hash::XxHash64;

/// Bytes of a slot, of an index's header, and of an entry, as the crate's documentation has them.
pub const SLOT: usize = 64 << 10;
const HEADER: usize = 48;
const ENTRY: usize = 24;

/// Sectors of the ring.
const RING: u64 = 40;
pub const ITEMS: usize = 6;
/// Numbers of eight bytes in an index, from the sector's size on.
const FIELDS: usize = 4 + 3 * ITEMS;
/// More steps than it takes to use a full index up: each removal writes what is left of it.
const MANY_STEPS: u64 = 500_000;

/// A queue with a few items, one of which lies around the ring's end.
pub fn image() -> Vec<u8> {
    simulate(|tasks| async move {
        let sectors = SLOTS + RING;
        let disk = Rc::new(FaultyDisk::new(512, sectors, 1));
        let queue = open(Rc::clone(&disk), &tasks).await;
        for number in 0..ITEMS as u64 {
            put(&queue, &item(number, 3000)).await.expect("it has room");
        }
        for number in ITEMS as u64..2 * ITEMS as u64 {
            get(&queue).await.expect("it was put in");
            assert_eq!(queue.remove().await, Ok(true));
            put(&queue, &item(number, 3000)).await.expect("it has room");
        }
        disk.contents()
    })
}

/// Changes an image as the input says, five bytes at a time, and makes its checksums right.
pub fn forge(image: &mut [u8], input: &[u8]) {
    for change in input.chunks_exact(5) {
        let change = change.first_chunk().expect("there are five bytes");
        let (first, second) = image[..2 * SLOT].split_at_mut(SLOT);
        match change[0] % 4 {
            0 => forge_index(first, change),
            1 => forge_index(second, change),
            2 => {
                forge_index(first, change);
                forge_index(second, change);
            }
            _ => {
                let place = u32::from_le_bytes([change[1], change[2], change[3], 0]);
                image[place as usize % image.len()] ^= change[4];
            }
        }
    }
    image[..2 * SLOT].chunks_mut(SLOT).for_each(reseal);
}

/// Changes one number of an index.
fn forge_index(slot: &mut [u8], [_, field, kind, value, other]: &[u8; 5]) {
    let number = &mut slot[16 + 8 * (usize::from(*field) % FIELDS)..];
    let number = number.first_chunk_mut().expect("the slot is longer");
    let old = u64::from_le_bytes(*number);
    let new = match kind % 5 {
        0 => u64::from(*value),
        1 => u64::from(u16::from_le_bytes([*value, *other])),
        2 => old.wrapping_add_signed(i64::from(value.cast_signed())),
        3 => u64::MAX >> (value % 64),
        _ => {
            number[usize::from(value % 8)] = *other;
            return;
        }
    };
    *number = new.to_le_bytes();
}

/// Makes the checksum of an index right, as far as what it covers exists.
pub fn reseal(slot: &mut [u8]) {
    let count = u32::from_le_bytes([slot[20], slot[21], slot[22], slot[23]]) as usize;
    if let Some(covered) = slot.get(16..HEADER + ENTRY * count) {
        let sum = XxHash64::oneshot(0, covered);
        slot[8..16].copy_from_slice(&sum.to_le_bytes());
    }
}

/// Checks a queue, uses it up and fills it again. `None` if it cannot be opened; else how many
/// items were as they should be.
///
/// # Panics
/// If that comes to no end, or the check does not tell what comes of it.
pub fn run(image: Vec<u8>) -> Option<usize> {
    simulate(|tasks| async move {
        let disk = Rc::new(FaultyDisk::from_bytes(512, image, 1));
        disk.set_faults(Faults {
            cut_after: Some(MANY_STEPS),
            ..Faults::default()
        });
        let report = check(&disk).await;
        assert_eq!(disk.counts().writes, 0, "a check only reads");
        let used = use_up(&tasks, &disk).await;
        let sound = report.map(|report| report.items - report.problems.len());
        assert_eq!(used, sound, "what was used, then what the check has found");
        assert!(!disk.is_gone(), "something came to no end");
        used.ok()
    })
}

async fn use_up(tasks: &Handle, disk: &Rc<FaultyDisk>) -> Result<usize, OpenError> {
    let queue = Queue::open(Rc::clone(disk), tasks.clone(), 2).await?;
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
    Ok(sound)
}
