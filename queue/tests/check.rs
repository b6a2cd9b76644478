//! Tests of what a check finds, and that it only reads.

mod support;

use fata_block::{Checksummed, Error, Faults, FaultyDisk, RamDisk};
use fata_queue::{OpenError, Problem, Report, check, is_queue};
use fata_task::simulate;
use std::rc::Rc;
use support::{SLOTS, blank, get, item, open, put};

/// Bytes in front of the data, and of one slot.
const DATA: usize = 128 << 10;
const SLOT: usize = 64 << 10;

/// Items on the disk, and their length: one request of a check does not reach.
const ITEMS: u64 = 20;
const LENGTH: usize = 300_000;

/// A queue that has had some items before those that are in it.
fn image() -> Vec<u8> {
    simulate(|tasks| async move {
        let disk = Rc::new(FaultyDisk::new(512, SLOTS + 13_000, 1));
        let queue = open(Rc::clone(&disk), &tasks).await;
        for number in 0..3 + ITEMS {
            put(&queue, &item(number, LENGTH)).await.unwrap();
            if number < 3 {
                get(&queue).await.unwrap();
                assert_eq!(queue.remove().await, Ok(true));
            }
        }
        disk.contents()
    })
}

/// Where a byte of an item, or behind its end, lies on the disk.
fn place_of(image: &[u8], number: u64, at: usize) -> usize {
    let mut bytes = item(number, LENGTH);
    bytes.resize(LENGTH.next_multiple_of(512), 0);
    let mut sectors = image[DATA..].chunks(512);
    let sector = sectors.position(|sector| sector == &bytes[at / 512 * 512..][..512]);
    DATA + 512 * sector.expect("the item is on the disk") + at % 512
}

fn found(image: Vec<u8>) -> Result<Report, OpenError> {
    let disk = RamDisk::from_bytes(512, image).into_read_only();
    simulate(|_| async move { check(disk).await })
}

fn report(problems: &[u64]) -> Report {
    Report {
        items: ITEMS as usize,
        bytes: ITEMS * LENGTH as u64,
        problems: problems.iter().copied().map(Problem::Item).collect(),
    }
}

#[test]
fn nothing_is_wrong_with_a_queue() {
    assert_eq!(found(image()), Ok(report(&[])));
    let empty = simulate(|tasks| async move {
        let disk = Rc::new(blank(10));
        open(Rc::clone(&disk), &tasks).await;
        check(disk).await
    });
    assert_eq!(empty, Ok(Report::default()));
}

#[test]
fn items_that_are_damaged_are_found_by_their_numbers() {
    let mut image = image();
    for (number, at) in [(3, 0), (11, LENGTH / 2), (22, LENGTH - 1)] {
        let place = place_of(&image, number, at);
        image[place] ^= 1;
    }
    // Behind an item's end nothing matters.
    let padding = place_of(&image, 7, LENGTH);
    image[padding] = 1;
    assert_eq!(found(image), Ok(report(&[3, 11, 22])));
}

#[test]
fn an_index_that_was_torn_is_no_problem() {
    let sound = image();
    // The last index is in one slot, and lacks the last item if it is the one that counts no more.
    let mut items = [0, SLOT].map(|slot| {
        let mut torn = sound.clone();
        torn[slot + 100] ^= 1;
        let found = found(torn).expect("the other index is whole");
        assert_eq!(found.problems, []);
        found.items
    });
    items.sort_unstable();
    assert_eq!(items, [ITEMS as usize - 1, ITEMS as usize]);
    let mut torn = sound;
    torn[100] ^= 1;
    torn[SLOT + 100] ^= 1;
    let damaged = OpenError::Damaged("neither of its indices is whole");
    assert_eq!(found(torn), Err(damaged));
}

#[test]
fn other_disks_are_told_apart() {
    let is_queue = |image| {
        let disk = RamDisk::from_bytes(512, image).into_read_only();
        simulate(|_| async move { is_queue(&disk).await })
    };
    for other in [vec![0; DATA + 512], vec![0x5a; DATA + 512]] {
        assert_eq!(is_queue(other.clone()), Ok(false));
        assert_eq!(found(other), Err(OpenError::Foreign));
    }
    let small = vec![0; DATA];
    assert_eq!(is_queue(small.clone()), Ok(false));
    assert_eq!(found(small), Err(OpenError::TooSmall(DATA as u64 + 512)));
    let mut queue = image();
    assert_eq!(is_queue(queue.clone()), Ok(true));
    queue.truncate(DATA + 512);
    assert_eq!(is_queue(queue.clone()), Ok(true));
    assert_eq!(found(queue), Err(OpenError::Shrunk(SLOTS + 13_000)));
}

#[test]
fn a_disk_that_fails_ends_the_check() {
    let disk = FaultyDisk::from_bytes(512, image(), 1);
    disk.set_faults(Faults {
        fail_after: Some(10),
        ..Faults::default()
    });
    let failed = simulate(|_| async move { check(disk).await });
    assert_eq!(failed, Err(OpenError::Disk(Error::Io)));
}

#[test]
fn all_items_are_read_and_nothing_is_written() {
    let disk = Rc::new(FaultyDisk::from_bytes(512, image(), 1));
    disk.set_faults(Faults {
        delay: 3,
        ..Faults::default()
    });
    let checked = Rc::clone(&disk);
    let found = simulate(|_| async move { check(checked).await });
    assert_eq!(found, Ok(report(&[])));
    let counts = disk.counts();
    assert_eq!((counts.writes, counts.flushes), (0, 0));
    // Two slots, and two requests an item, also for the one around the ring's end.
    assert_eq!(counts.reads, 2 + 2 * ITEMS);
}

#[test]
fn what_the_disk_says_is_corrupt_is_a_problem_of_its_item() {
    let found = simulate(|tasks| async move {
        let disk = Rc::new(FaultyDisk::new(512, 4000, 1));
        Checksummed::format(&disk).await.unwrap();
        let sums = Checksummed::open(&tasks, Rc::clone(&disk)).await.unwrap();
        let queue = open(sums, &tasks).await;
        for number in 0..3 {
            put(&queue, &item(number, 1000)).await.unwrap();
        }
        let mut image = disk.contents();
        let place = image.chunks(512).position(|sector| sector == item(1, 512));
        image[512 * place.expect("the item is on the disk")] ^= 1;
        let sums = Checksummed::open(&tasks, RamDisk::from_bytes(512, image)).await;
        check(sums.unwrap()).await
    });
    let problems = found.map(|report| report.problems);
    assert_eq!(problems, Ok(vec![Problem::Item(1)]));
}
