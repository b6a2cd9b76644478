//! A store that was closed by an error is opened again without a power cut: what reads show then
//! may be in the host's memory only, and lost there.

mod common;

use common::{Disk, LIMITS, assert_sound, contents, formatted, key, open};
use fata_block::{Block, Faults, FaultyDisk, RamDisk};
use fata_kv::{Error, Key, KvRo, KvRw};
use fata_store::{Store, check};
use fata_task::{Handle, simulate};
use std::collections::BTreeMap;
use std::rc::Rc;

const SECTOR: usize = 512;
const PAGE: usize = 4096;

type Values = BTreeMap<Key, Vec<u8>>;

fn name(number: u64) -> Key {
    key(&format!("{number:03}"))
}

fn failing_flush() -> Faults {
    Faults {
        fail_flush_one_in: Some(1),
        ..Faults::default()
    }
}

/// Content of a disk with a store of several leaves.
fn filled() -> Vec<u8> {
    simulate(|tasks| async move {
        let disk = formatted(SECTOR, 512, 1).await;
        let store = open(&tasks, &disk).await;
        for number in 0..20 {
            store.set(&name(number), &[1; 900]).await.unwrap();
        }
        disk.contents()
    })
}

/// Changes, or trims, and the flush for that fails.
async fn fail(tasks: &Handle, disk: &Disk, trims: bool) {
    let store = open(tasks, disk).await;
    store.set(&name(1), &[2; 900]).await.unwrap();
    disk.set_faults(failing_flush());
    let failed = if trims {
        store.trim().await.map(drop)
    } else {
        store.set(&name(2), &[3; 5_000]).await
    };
    assert_eq!(failed, Err(Error::Disk(fata_block::Error::Io)));
    disk.set_faults(Faults::default());
}

/// Changes a store until the power is cut, after so many steps. Returns what may be there then:
/// what was acknowledged, and that with the change that was under way.
async fn change_until_cut(tasks: &Handle, disk: &Disk, steps: u64) -> [Values; 2] {
    let store = open(tasks, disk).await;
    let mut known = contents(&store).await;
    disk.set_faults(Faults {
        cut_after: Some(steps),
        ..Faults::default()
    });
    for number in 0.. {
        let (name, value) = (name(number * 7 % 20), vec![4; 1000 + number as usize]);
        let mut next = known.clone();
        next.insert(name.clone(), value.clone());
        if store.set(&name, &value).await.is_err() {
            return [known, next];
        }
        known = next;
    }
    unreachable!("the power is cut before");
}

/// A flush fails, another program goes on without a power cut, which comes at any step later.
#[test]
fn what_a_failed_flush_has_lost_is_written_again() {
    let image = filled();
    for seed in 0..200 {
        let image = image.clone();
        simulate(|tasks| async move {
            let disk = Rc::new(FaultyDisk::from_bytes(SECTOR, image, seed));
            fail(&tasks, &disk, seed % 2 == 0).await;
            let possible = change_until_cut(&tasks, &disk, seed / 2 % 100).await;
            let bytes = disk.cut();
            assert_sound(bytes.clone(), SECTOR).await;
            let disk = Rc::new(FaultyDisk::from_bytes(SECTOR, bytes, seed));
            let found = contents(&open(&tasks, &disk).await).await;
            assert!(possible.contains(&found), "seed {seed}");
        });
    }
}

/// Images as a cut leaves them before the last transaction was confirmed: as a whole, and without
/// one page of its value.
fn cut_off() -> (Vec<u8>, Vec<u8>, usize) {
    simulate(|tasks| async move {
        let disk = formatted(SECTOR, 512, 1).await;
        let store = open(&tasks, &disk).await;
        store.set(&key("value"), &[1; 5_000]).await.unwrap();
        let before = disk.contents();
        store.set(&key("value"), &[2; 5_000]).await.unwrap();
        let mut whole = disk.contents();
        whole[2 * PAGE..3 * PAGE].copy_from_slice(&before[2 * PAGE..3 * PAGE]);
        let mut torn = whole.clone();
        let lost = torn.chunks(PAGE).position(|page| page == [2; PAGE]);
        let lost = lost.expect("it is there") * PAGE;
        torn[lost..][..PAGE].copy_from_slice(&before[lost..][..PAGE]);
        (whole, torn, lost)
    })
}

/// A transaction that was cut off is undone by erasing its superblock. If the disk loses that,
/// and says so, the next program does it again, though it reads as erased.
#[test]
fn what_was_undone_does_not_come_back() {
    let (_, torn, lost) = cut_off();
    for seed in 0..20 {
        let torn = torn.clone();
        simulate(|tasks| async move {
            let get = async |disk: &Disk| open(&tasks, disk).await.get(&key("value"), 5_000).await;
            let disk = Rc::new(FaultyDisk::from_bytes(SECTOR, torn, seed));
            disk.set_faults(failing_flush());
            let opened = Store::open(&tasks, Rc::clone(&disk), LIMITS).await;
            assert_eq!(opened.err(), Some(Error::Disk(fata_block::Error::Io)));
            disk.set_faults(Faults::default());
            assert!(get(&disk).await == Ok(vec![1; 5_000]));
            // The page that the superblock lacked is there now.
            let page = disk.write((lost / SECTOR) as u64, vec![2; PAGE]).await;
            page.unwrap();
            disk.flush().await.unwrap();
            let disk = Rc::new(FaultyDisk::from_bytes(SECTOR, disk.cut(), seed));
            assert!(get(&disk).await == Ok(vec![1; 5_000]), "seed {seed}");
        });
    }
}

/// A disk that cannot be written is read as it is.
#[test]
fn a_read_only_disk_is_not_settled() {
    let (whole, torn, _) = cut_off();
    for (bytes, value) in [(whole, 2), (torn, 1)] {
        simulate(|tasks| async move {
            let disk = Rc::new(RamDisk::from_bytes(SECTOR, bytes).into_read_only());
            let report = check(&disk).await.expect("there is a store");
            assert_eq!(report.problems, []);
            let store = Store::open(&tasks, disk, LIMITS).await;
            let store = store.expect("it was checked");
            let found = store.get(&key("value"), 5_000).await;
            assert!(found == Ok(vec![value; 5_000]));
        });
    }
}
