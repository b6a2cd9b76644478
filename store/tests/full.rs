//! Full disks: nothing is lost, everything can be removed, and nothing slows down.

mod common;

use common::{amount, assert_sound, contents, formatted, key, open};
use fata_kv::{Error, Key, KvRo, KvRw};
use fata_task::simulate;

fn name(number: u64) -> Key {
    key(&format!("values/{number}"))
}

fn value(number: u64, length: usize) -> Vec<u8> {
    (0..length).map(|at| (number as usize + at) as u8).collect()
}

#[test]
fn full_and_empty_a_hundred_times() {
    simulate(|tasks| async move {
        let disk = formatted(512, 512, 1).await;
        let store = open(&tasks, &disk).await;
        let empty = store.usage().free;
        for round in 0..amount("FATA_STORE_ROUNDS", 100) {
            // Small values in the tree, pages, and both.
            let length = [20_000, 500, 3_000][round as usize % 3];
            let mut count = 0;
            while store.set(&name(count), &value(count, length)).await != Err(Error::NoSpace) {
                count += 1;
            }
            let full = store.usage();
            assert!(full.free * 2 < full.capacity, "{round}: {full:?}");
            assert_eq!(store.exists(&name(count)).await, Ok(None));
            for number in 0..count {
                let found = store.get(&name(number), length).await;
                assert_eq!(found, Ok(value(number, length)), "{round}");
            }
            // One by one or all at once.
            if round % 2 == 0 {
                for number in 0..count {
                    store
                        .remove(&name(number))
                        .await
                        .expect("removing always has room");
                }
            } else {
                store
                    .remove(&key("values"))
                    .await
                    .expect("removing always has room");
            }
            assert_eq!(store.usage().free, empty, "{round}");
        }
        assert_sound(disk.contents(), 512).await;
    });
}

/// Removes and sets at 95 % full write no more at the end than at the beginning.
#[test]
fn a_nearly_full_store_does_not_slow_down() {
    simulate(|tasks| async move {
        let disk = formatted(4096, 4096, 1).await;
        let store = open(&tasks, &disk).await;
        let mut count = 0;
        while store.usage().free * 20 > store.usage().capacity {
            store.set(&name(count), &value(count, 4_000)).await.unwrap();
            count += 1;
        }
        let mut written = Vec::new();
        let mut most = 0;
        let mut next = 7;
        for _ in 0..10 {
            let before = disk.counts().sectors_written;
            for _ in 0..amount("FATA_STORE_STEADY", 1_500) / 10 {
                let start = disk.counts().sectors_written;
                // Some number or other, but each as often.
                next = (next * 5 + 3) % count.next_power_of_two();
                let number = next % count;
                store.remove(&name(number)).await.unwrap();
                store
                    .set(&name(number), &value(number, 4_000))
                    .await
                    .unwrap();
                most = most.max(disk.counts().sectors_written - start);
            }
            written.push(disk.counts().sectors_written - before);
        }
        assert!(written[9] <= written[0] * 11 / 10, "{written:?}");
        assert!(most <= 24, "one change wrote {most} pages");
        assert_eq!(contents(&store).await.len() as u64, count);
        assert_sound(disk.contents(), 4096).await;
    });
}

#[test]
fn what_does_not_fit_changes_nothing() {
    simulate(|tasks| async move {
        let disk = formatted(512, 1024, 1).await;
        let store = open(&tasks, &disk).await;
        let (small, large) = (key("small"), key("large"));
        store.set(&small, b"1").await.unwrap();
        store.set(&large, &value(1, 300_000)).await.unwrap();
        let before = store.usage();
        assert_eq!(
            store.set(&large, &value(2, 900_000)).await,
            Err(Error::NoSpace)
        );
        let changes = [
            fata_kv::Change::Remove(&small),
            fata_kv::Change::SetRange(&large, 250_000, &[9; 300_000]),
            fata_kv::Change::SetRange(&large, 650_000, &[9; 300_000]),
        ];
        assert_eq!(store.batch(&changes).await, Err(Error::NoSpace));
        assert_eq!(store.usage(), before);
        assert_eq!(store.get(&large, 300_000).await, Ok(value(1, 300_000)));
        assert_eq!(store.get(&small, 1).await, Ok(b"1".to_vec()));
        let huge = store.set_range(&large, u64::MAX - 1, b"12").await;
        assert_eq!(huge, Err(Error::NoSpace));
        assert_sound(disk.contents(), 512).await;
    });
}
