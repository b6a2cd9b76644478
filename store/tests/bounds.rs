//! Promises of the store about flushes, recovery, readers and requests that are dropped.

mod common;

use common::{LIMITS, assert_sound, contents, formatted, key, open};
use fata_block::{Error as DiskError, Faults, FaultyDisk};
use fata_kv::{Change, Error, Key, KvRo, KvRw};
use fata_store::{Limits, Store, format};
use fata_task::{select, simulate, yield_now};
use std::cell::Cell;
use std::rc::Rc;

#[test]
fn concurrent_changes_share_their_flushes() {
    simulate(|tasks| async move {
        let disk = formatted(512, 4096, 1).await;
        let store = open(&tasks, &disk).await;
        let before = disk.counts().flushes;
        let set = |number: u32| {
            let store = store.clone();
            tasks.spawn(async move { store.set(&key(&format!("{number}")), b"value").await })
        };
        let all: Vec<_> = (0..50).map(set).collect();
        for one in all {
            one.await.expect("it ends by itself").unwrap();
        }
        let flushes = disk.counts().flushes - before;
        assert!(flushes <= 2, "{flushes} flushes for 50 changes");
        assert_eq!(contents(&store).await.len(), 50);
    });
}

/// Opening reads two superblocks, the confirmation and the bitmap, whatever is in the store. It
/// flushes only what is not known to be durable.
#[test]
fn recovery_does_not_depend_on_what_is_stored() {
    simulate(|tasks| async move {
        let disk = formatted(4096, 200 << 10, 1).await;
        let (mut reads, mut flushes) = (Vec::new(), Vec::new());
        for round in 0..3 {
            let before = disk.counts();
            let store = open(&tasks, &disk).await;
            let after = disk.counts();
            flushes.push(after.flushes - before.flushes);
            reads.push(after.reads - before.reads);
            for number in 0..500 * round {
                let key = key(&format!("{round}/{number}"));
                let value = vec![7; number % 1500];
                let change = [Change::Set(&key, &value)];
                store.batch(&change).await.unwrap();
            }
        }
        // 200 MiB take two pages of the bitmap.
        assert_eq!(reads, [5, 5, 5]);
        assert_eq!(flushes, [1, 1, 0]);
    });
}

#[test]
fn readers_see_whole_values_while_these_are_replaced() {
    simulate(|tasks| async move {
        let disk = formatted(512, 2048, 1).await;
        let store = open(&tasks, &disk).await;
        disk.set_faults(Faults {
            delay: 3,
            ..Faults::default()
        });
        store.set(&key("value"), &[0; 100_000]).await.unwrap();
        let writer = store.clone();
        let writing = tasks.spawn(async move {
            for round in 1..20 {
                let value = vec![round; [10, 100_000][usize::from(round) % 2]];
                writer.set(&key("value"), &value).await.unwrap();
                writer
                    .set(&key(&format!("other{round}")), b"")
                    .await
                    .unwrap();
            }
        });
        let mut seen = 0;
        while !writing.is_finished() {
            let value = store.get(&key("value"), 100_000).await.unwrap();
            assert!(value.iter().all(|byte| *byte == value[0]));
            let length = if value[0] == 0 || value[0] % 2 == 1 {
                100_000
            } else {
                10
            };
            assert_eq!(value.len(), length, "round {}", value[0]);
            assert!(value[0] >= seen, "what was seen stays");
            seen = value[0];
            let names = store.list(&Key::ROOT, "", 100).await.unwrap();
            assert_eq!(names.last().map(|last| &last.name[..]), Some("value"));
            // Data in memory is read without a pause.
            yield_now().await;
        }
        assert_eq!(
            store.get(&key("value"), 100_000).await,
            Ok(vec![19; 100_000])
        );
    });
}

/// However fast a store changes, a list of it is of one transaction, and comes to an end.
#[test]
fn lists_are_of_one_transaction() {
    const COUNT: usize = 500;
    simulate(|tasks| async move {
        let disk = formatted(512, 512, 1).await;
        // Each step reads its nodes anew, while transactions soon use their pages again.
        let limits = Limits {
            cached_nodes: 1,
            ..LIMITS
        };
        let store = Store::open(&tasks, Rc::clone(&disk), limits).await.unwrap();
        let name = |number: usize| key(&format!("{number:0100}"));
        for number in 0..COUNT {
            store.set(&name(number), b"").await.unwrap();
        }
        store.set(&key("~"), &[0; 200 << 10]).await.unwrap();
        disk.set_faults(Faults {
            delay: 3,
            ..Faults::default()
        });
        let writer = store.clone();
        let is_over = Rc::new(Cell::new(false));
        let ends = Rc::clone(&is_over);
        let writing = tasks.spawn(async move {
            // One of them moves from the beginning to the end and back again.
            while !ends.get() {
                for (from, to) in [(0, COUNT), (COUNT, 0)] {
                    writer.rename(&name(from), &name(to)).await.unwrap();
                }
            }
        });
        for _ in 0..5 {
            let before = disk.counts().flushes;
            let listed = store.list(&Key::ROOT, "", COUNT + 2).await.unwrap();
            assert_eq!(listed.len(), COUNT + 1);
            let transactions = disk.counts().flushes - before;
            assert!(transactions > 20, "only {transactions} while it was made");
        }
        is_over.set(true);
        writing.await.unwrap();
    });
}

#[test]
fn dropped_requests_happen_as_a_whole_or_not() {
    simulate(|tasks| async move {
        let disk = formatted(512, 2048, 1).await;
        let store = open(&tasks, &disk).await;
        disk.set_faults(Faults {
            delay: 5,
            ..Faults::default()
        });
        for round in 0..40 {
            let (a, b) = (key("a"), key("b"));
            let value = vec![round; 5_000];
            let changes = [Change::Set(&a, &value), Change::Set(&b, &value)];
            let patience = async {
                for _ in 0..round {
                    yield_now().await;
                }
            };
            let _either = select(store.batch(&changes), patience).await;
            store.set(&key("c"), b"").await.unwrap();
            let found = contents(&store).await;
            assert_eq!(found.get(&a), found.get(&b), "{round}");
        }
        assert_sound(disk.contents(), 512).await;
    });
}

#[test]
fn a_doubtful_end_closes_the_store() {
    simulate(|tasks| async move {
        let disk = formatted(4096, 1024, 1).await;
        let store = open(&tasks, &disk).await;
        store.set(&key("a"), b"1").await.unwrap();
        // Before the superblock an error is harmless: a leaf, the bitmap.
        for steps in 0..2 {
            disk.set_faults(Faults {
                fail_after: Some(steps),
                ..Faults::default()
            });
            let set = store.set(&key("a"), b"2").await;
            assert_eq!(set, Err(Error::Disk(DiskError::Io)), "{steps}");
            disk.set_faults(Faults::default());
            assert_eq!(store.get(&key("a"), 1).await, Ok(b"1".to_vec()));
            store.set(&key("b"), b"3").await.unwrap();
        }
        disk.set_faults(Faults {
            fail_after: Some(3),
            ..Faults::default()
        });
        let set = store.set(&key("a"), b"4").await;
        assert_eq!(set, Err(Error::Disk(DiskError::Io)));
        disk.set_faults(Faults::default());
        assert_eq!(store.set(&key("a"), b"5").await, Err(Error::Closed));
        assert_eq!(store.get(&key("a"), 1).await, Ok(b"1".to_vec()));
        let store = open(&tasks, &disk).await;
        store.set(&key("a"), b"6").await.unwrap();
    });
}

#[test]
fn what_cannot_be_done_is_refused() {
    simulate(|tasks| async move {
        let disk = Rc::new(FaultyDisk::new(512, 100, 1));
        assert_eq!(format(&disk, 1).await, Err(Error::Unsupported));
        let disk = Rc::new(FaultyDisk::new(512, 2048, 1));
        let opened = Store::open(&tasks, Rc::clone(&disk), LIMITS).await;
        assert!(matches!(opened, Err(Error::NotAStore)));
        format(&disk, 1).await.unwrap();
        let store = open(&tasks, &disk).await;
        let large = vec![0; LIMITS.waiting];
        assert_eq!(store.set(&key("a"), &large).await, Err(Error::TooLarge));
        store.set(&key("a"), b"1").await.unwrap();
        let disk = fata_block::RamDisk::from_bytes(512, disk.contents()).into_read_only();
        let store = Store::open(&tasks, disk, LIMITS).await.unwrap();
        assert_eq!(store.get(&key("a"), 1).await, Ok(b"1".to_vec()));
        assert_eq!(store.set(&key("a"), b"").await, Err(Error::ReadOnly));
    });
}

/// Data that an earlier store left on the disk is never taken for a part of a new one.
#[test]
fn formatting_forgets_everything() {
    simulate(|tasks| async move {
        let disk = formatted(512, 2048, 1).await;
        let store = open(&tasks, &disk).await;
        for number in 0..100 {
            store
                .set(&key(&format!("{number}")), &[7; 2000])
                .await
                .unwrap();
        }
        for identity in [1, 2] {
            format(&disk, identity).await.unwrap();
            let store = open(&tasks, &disk).await;
            assert!(contents(&store).await.is_empty());
            assert_sound(disk.contents(), 512).await;
        }
    });
}
