//! Telling the disk what is free: all of that, and nothing else.

mod common;

use common::{assert_sound, contents, formatted, key, open};
use fata_block::{Block, Faults, FaultyDisk, RamDisk};
use fata_kv::{Error, Key, KvRo, KvRw};
use fata_store::{Limits, Store};
use fata_task::{join, simulate, yield_now};
use std::cell::Cell;
use std::rc::Rc;

const PAGE: usize = 4096;

fn name(number: usize) -> Key {
    key(&format!("values/{number}"))
}

fn value(number: usize) -> Vec<u8> {
    vec![number as u8; 10_000 + number]
}

#[test]
fn all_that_is_free_is_discarded_and_nothing_else() {
    simulate(|tasks| async move {
        let disk = formatted(512, 2048, 1).await;
        let store = open(&tasks, &disk).await;
        for number in 0..60 {
            store.set(&name(number), &value(number)).await.unwrap();
        }
        // Holes of all sizes.
        for number in (0..60).filter(|number| number % 3 != 0 && number % 7 != 0) {
            store.remove(&name(number)).await.unwrap();
        }
        let before = contents(&store).await;
        let (free, written) = (store.usage().free, disk.counts().sectors_written);
        assert_eq!(store.trim().await, Ok(free));
        let counts = disk.counts();
        let superblock = (PAGE / 512) as u64;
        assert_eq!(counts.sectors_written - written, free / 512 + superblock);
        assert!((5..60).contains(&counts.discards), "{counts:?}");
        assert_eq!(contents(&store).await, before);
        assert_eq!(contents(&open(&tasks, &disk).await).await, before);
        assert_sound(disk.contents(), 512).await;
    });
}

#[test]
fn a_long_run_takes_several_discards() {
    simulate(|tasks| async move {
        let disk = Rc::new(RamDisk::new(PAGE, 20_000));
        fata_store::format(&disk, 1).await.unwrap();
        let store = Store::open(&tasks, disk, Limits::default()).await;
        let store = store.expect("there is a store");
        store.set(&name(1), &value(1)).await.unwrap();
        assert_eq!(store.trim().await, Ok(store.usage().free));
    });
}

/// A removed value takes no room of the host any more.
#[test]
fn a_host_that_is_full_has_room_again() {
    simulate(|tasks| async move {
        let disk = formatted(PAGE, 4096, 1).await;
        disk.set_faults(Faults {
            capacity: Some(100),
            ..Faults::default()
        });
        let store = open(&tasks, &disk).await;
        for round in 0..20 {
            let mut number = 0;
            let full = loop {
                match store.set(&name(number), &value(number)).await {
                    Ok(()) => number += 1,
                    Err(error) => break error,
                }
            };
            assert_eq!(full, Error::Disk(fata_block::Error::Full));
            assert!(number > 10, "{number} values in round {round}");
            // Removing takes pages too: of those that were just discarded.
            store.trim().await.unwrap();
            store.remove(&key("values")).await.unwrap();
            store.trim().await.unwrap();
        }
    });
}

/// If the newest superblock is lost, the one before it leads to the same, and nothing of that was
/// discarded.
#[test]
fn both_superblocks_keep_what_they_lead_to() {
    for place in 0..2 {
        simulate(|tasks| async move {
            let disk = formatted(PAGE, 2048, 3).await;
            let store = open(&tasks, &disk).await;
            for number in 0..30 {
                store.set(&name(number), &value(number)).await.unwrap();
            }
            store.remove(&name(7)).await.unwrap();
            store.trim().await.unwrap();
            let expected = contents(&store).await;
            disk.write(place, vec![0; PAGE]).await.unwrap();
            assert_eq!(contents(&open(&tasks, &disk).await).await, expected);
            assert_sound(disk.contents(), PAGE).await;
        });
    }
}

#[test]
fn a_second_trim_costs_no_flush() {
    simulate(|tasks| async move {
        let disk = formatted(PAGE, 2048, 1).await;
        let store = open(&tasks, &disk).await;
        store.set(&name(1), &value(1)).await.unwrap();
        let flushes = || disk.counts().flushes;
        let before = flushes();
        let free = store.trim().await.unwrap();
        assert_eq!(flushes() - before, 1);
        assert_eq!(store.trim().await, Ok(free));
        assert_eq!(flushes() - before, 1);
    });
}

/// Many small holes take several parts, between which changes are made.
#[test]
fn changes_do_not_wait_for_the_end() {
    simulate(|tasks| async move {
        let disk = formatted(PAGE, 16 << 10, 1).await;
        let store = open(&tasks, &disk).await;
        for number in 0..400 {
            store.set(&name(number), &[1; 4000]).await.unwrap();
        }
        for number in (0..400).step_by(2) {
            store.remove(&name(number)).await.unwrap();
        }
        disk.set_faults(Faults {
            delay: 3,
            ..Faults::default()
        });
        let before = disk.counts().discards;
        let during = async {
            for number in 0..3 {
                store.set(&name(number), b"value").await.unwrap();
            }
            disk.counts().discards - before
        };
        let (trimmed, discards) = join(store.trim(), during).await;
        assert!(trimmed.is_ok());
        let all = disk.counts().discards - before;
        assert!(discards > 0 && discards < all, "{discards} of {all}");
        assert_sound(disk.contents(), PAGE).await;
    });
}

/// Changes that never end do not keep it from being done.
#[test]
fn changes_do_not_hold_it_up() {
    simulate(|tasks| async move {
        let disk = formatted(PAGE, 2048, 1).await;
        let store = open(&tasks, &disk).await;
        store.set(&name(1), &value(1)).await.unwrap();
        disk.set_faults(Faults {
            delay: 3,
            ..Faults::default()
        });
        let sets = Rc::new(Cell::new(0));
        for writer in 0..2 {
            let (store, sets) = (store.clone(), Rc::clone(&sets));
            tasks.spawn_detached(async move {
                // The one asks while the other's transaction is under way.
                while sets.get() < 1000 {
                    store.set(&name(writer), b"value").await.unwrap();
                    sets.set(sets.get() + 1);
                }
            });
            yield_now().await;
        }
        store.trim().await.unwrap();
        assert!(sets.get() < 100, "after {} changes", sets.get());
    });
}

#[test]
fn errors_leave_the_store_as_it_was() {
    simulate(|tasks| async move {
        let disk = formatted(PAGE, 2048, 1).await;
        let store = open(&tasks, &disk).await;
        store.set(&name(1), &value(1)).await.unwrap();
        for steps in 0..10 {
            disk.set_faults(Faults {
                fail_after: Some(steps),
                ..Faults::default()
            });
            let failed = store.trim().await;
            assert_eq!(failed, Err(Error::Disk(fata_block::Error::Io)));
            disk.set_faults(Faults::default());
            store.set(&name(2), &value(steps as usize)).await.unwrap();
        }
        assert!(store.trim().await.is_ok());
        assert_eq!(store.get(&name(2), 20_000).await, Ok(value(9)));
        assert_sound(disk.contents(), PAGE).await;
    });
}

#[test]
fn a_read_only_store_is_not_trimmed() {
    simulate(|tasks| async move {
        let bytes = formatted(PAGE, 2048, 1).await.contents();
        let disk = RamDisk::from_bytes(PAGE, bytes).into_read_only();
        let store = Store::open(&tasks, disk, Limits::default()).await;
        let store = store.expect("there is a store");
        assert_eq!(store.trim().await, Err(Error::ReadOnly));
    });
}

/// A reader that has begun before finds what it needs, or begins anew.
#[test]
fn readers_are_not_upset() {
    for seed in 0..30 {
        simulate(|tasks| async move {
            let bytes = formatted(PAGE, 2048, seed).await.contents();
            let disk = Rc::new(FaultyDisk::from_bytes(PAGE, bytes, seed));
            let store = open(&tasks, &disk).await;
            store.set(&name(1), &[1; 300_000]).await.unwrap();
            disk.set_faults(Faults {
                delay: 4,
                ..Faults::default()
            });
            let key = name(1);
            let read = store.get(&key, 300_000);
            let change = async {
                store.set(&key, &[2; 300_000]).await.unwrap();
                store.trim().await
            };
            let (read, trimmed) = join(read, change).await;
            assert!(trimmed.is_ok());
            let read = read.expect("it is there");
            assert!(read == [1; 300_000] || read == [2; 300_000], "seed {seed}");
        });
    }
}
