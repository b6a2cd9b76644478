//! A store on a disk with checksums: what is promised of each holds of both together.

mod common;

use common::{amount, contents, key};
use fata_block::{Checksummed, Faults, FaultyDisk};
use fata_kv::{Error, Key, KvRo, KvRw};
use fata_store::{Limits, Store, check, format};
use fata_task::{Handle, simulate};
use std::collections::BTreeMap;
use std::rc::Rc;

type Disk = Rc<Checksummed<Rc<FaultyDisk>>>;

async fn disk(tasks: &Handle, faulty: &Rc<FaultyDisk>) -> Disk {
    let disk = Checksummed::open(tasks, Rc::clone(faulty)).await;
    Rc::new(disk.expect("it was formatted"))
}

fn value(number: u64) -> Vec<u8> {
    vec![number as u8; [10, 1_500, 9_000][number as usize % 3]]
}

/// Sets values and trims until the power is cut. Returns what was being set then, if anything
/// was.
async fn work(
    store: &Store<Disk>,
    known: &mut BTreeMap<Key, Vec<u8>>,
    seed: u64,
) -> Option<(Key, Vec<u8>)> {
    for number in seed * 1000.. {
        let key = key(&format!("values/{}", number * 7 % 30));
        let value = value(number);
        match store.set(&key, &value).await {
            Ok(()) => known.insert(key, value),
            Err(_) => return Some((key, value)),
        };
        if number % 10 == 9 && store.trim().await.is_err() {
            break;
        }
    }
    None
}

#[test]
fn cuts_lose_nothing() {
    simulate(|tasks| async move {
        let faulty = Rc::new(FaultyDisk::new(512, 4096, 1));
        Checksummed::format(&faulty).await.expect("it is large");
        format(&disk(&tasks, &faulty).await, 1)
            .await
            .expect("it is large");
        let mut bytes = faulty.cut();
        let mut known = BTreeMap::new();
        for round in 0..amount("FATA_STORE_CUTS", 60) {
            let faulty = Rc::new(FaultyDisk::from_bytes(512, bytes, round));
            let opened = Store::open(&tasks, disk(&tasks, &faulty).await, Limits::default());
            let store = opened.await.expect("a cut leaves a store");
            faulty.set_faults(Faults {
                cut_after: Some(round * 97 % 1500),
                delay: (round % 4) as u32,
                ..Faults::default()
            });
            let changing = work(&store, &mut known, round).await;
            bytes = faulty.cut();
            let faulty = Rc::new(FaultyDisk::from_bytes(512, bytes.clone(), round));
            let disk = disk(&tasks, &faulty).await;
            let report = check(&disk).await.expect("a cut leaves a store");
            assert!(report.problems.is_empty(), "{round}: {report:?}");
            let store = Store::open(&tasks, disk, Limits::default()).await;
            let found = contents(&store.expect("it was checked")).await;
            if found != known {
                // The one that was under way may be there or not.
                known.extend(changing);
            }
            assert!(found == known, "round {round}");
        }
    });
}

/// Rot is an error of the disk, before the store looks at it.
#[test]
fn rot_is_found_below_the_store() {
    simulate(|tasks| async move {
        let faulty = Rc::new(FaultyDisk::new(512, 4096, 1));
        Checksummed::format(&faulty).await.expect("it is large");
        let disk = disk(&tasks, &faulty).await;
        format(&disk, 1).await.expect("it is large");
        let store = Store::open(&tasks, disk, Limits::default()).await;
        let store = store.expect("it was formatted");
        let key = key("value");
        store.set(&key, &[9; 9_000]).await.expect("it has room");
        assert_eq!(store.get(&key, 9_000).await, Ok(vec![9; 9_000]));
        let bytes = faulty.contents();
        let at = bytes.windows(512).position(|part| part == [9; 512]);
        let mut bytes = bytes;
        bytes[at.expect("it is there")] = 8;
        let faulty = Rc::new(FaultyDisk::from_bytes(512, bytes, 1));
        let disk = Checksummed::open(&tasks, faulty)
            .await
            .expect("it was formatted");
        let store = Store::open(&tasks, disk, Limits::default()).await;
        let found = store.expect("it was formatted").get(&key, 9_000).await;
        assert_eq!(found, Err(Error::Disk(fata_block::Error::Corrupt)));
    });
}

/// Rot in one of the pages for superblocks and the confirmation is no loss, unless that is the
/// superblock that counts.
#[test]
fn rot_in_what_is_spare_is_no_loss() {
    const PAGE: usize = 4096;
    for (transactions, trims) in [(1_u8, false), (2, false), (1, true), (2, true)] {
        simulate(|tasks| async move {
            let faulty = Rc::new(FaultyDisk::new(512, 4096, 1));
            Checksummed::format(&faulty).await.expect("it is large");
            let plain = disk(&tasks, &faulty).await;
            format(&plain, 1).await.expect("it is large");
            let store = Store::open(&tasks, plain, Limits::default()).await;
            let store = store.expect("it was formatted");
            let key = key("value");
            for number in 1..=transactions {
                store.set(&key, &[number]).await.expect("it has room");
            }
            if trims {
                // Both superblocks lead to the same then.
                store.trim().await.expect("the disk can do that");
            }
            let bytes = faulty.contents();
            let magic = bytes.windows(8).position(|part| part == b"FataStor");
            let start = magic.expect("there are superblocks") - 32;
            for page in 0..3 {
                let mut bytes = bytes.clone();
                bytes[start + page * PAGE + 9] ^= 4;
                let faulty = Rc::new(FaultyDisk::from_bytes(512, bytes, 1));
                let disk = disk(&tasks, &faulty).await;
                let opened = Store::open(&tasks, Rc::clone(&disk), Limits::default()).await;
                if page == usize::from(transactions) % 2 && !trims {
                    assert_eq!(opened.err(), Some(Error::Damaged));
                    assert_eq!(check(&disk).await, Err(Error::Damaged));
                    continue;
                }
                let store = opened.expect("the one that counts is there");
                assert_eq!(store.get(&key, 1).await, Ok(vec![transactions]));
                for _ in 0..2 {
                    store.set(&key, b"9").await.expect("it has room");
                    let report = check(&disk).await.expect("it was opened");
                    assert_eq!(report.problems, []);
                }
            }
        });
    }
}
