//! Damaged and hostile images: an error, never a panic, never without an end, never wrong data.

use crate::page::{Kind, PAGE, number, seal};
use crate::{Limits, Problem, Store, check, format};
use alloc::collections::BTreeMap;
use alloc::format as text;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use fata_block::{Faults, FaultyDisk};
use fata_kv::{Error, Key, Kind as KeyKind, KvRo, KvRw};
use fata_task::{Handle, simulate};
use proptest::prelude::*;

const IDENTITY: u64 = 77;

/// More steps than any request on so small a disk takes.
const MANY_STEPS: u64 = 50_000;

type Disk = Rc<FaultyDisk>;

fn key(text: &str) -> Key {
    text.parse().expect("it is a key")
}

fn value(number: usize) -> Vec<u8> {
    let length = [3, 300, 1000, 9_000][number % 4];
    (0..length).map(|at| (at + number) as u8).collect()
}

/// A store with keys enough for three levels, and what is in it.
fn image() -> (Vec<u8>, BTreeMap<Key, Vec<u8>>) {
    simulate(|tasks| async move {
        let disk = Rc::new(FaultyDisk::new(4096, 256, 1));
        format(&disk, IDENTITY).await.expect("it is large enough");
        let store = open(&tasks, &disk).await.expect("there is a store");
        let mut values = BTreeMap::new();
        for number in 0..100 {
            let long = "x".repeat(400 * usize::from(number % 3 == 0));
            let key = key(&text!("{}/{number}{long}", number % 7));
            store.set(&key, &value(number)).await.expect("it has room");
            values.insert(key, value(number));
        }
        assert_eq!(store.height(), 3);
        (disk.contents(), values)
    })
}

async fn open(tasks: &Handle, disk: &Disk) -> Result<Store<Disk>, Error> {
    let limits = Limits {
        cached_nodes: 4,
        ..Limits::default()
    };
    Store::open(tasks, Rc::clone(disk), limits).await
}

/// Makes a page's checksum right again, as an enemy would.
fn reseal(image: &mut [u8], page: usize) {
    let bytes = &mut image[page * PAGE..][..PAGE];
    let generation = number(bytes, 16);
    let (identity, kind) = match bytes[24] {
        1 => (0, Kind::Superblock),
        2 => (IDENTITY, Kind::Bitmap),
        3 => (IDENTITY, Kind::Node),
        _ => return,
    };
    if number(bytes, 8) == page as u64 {
        seal(bytes, identity, page as u64, generation, kind);
    }
}

/// Uses all of a store, whatever comes of it. False if that did not come to an end.
async fn use_up(tasks: &Handle, image: Vec<u8>) -> bool {
    let disk = Rc::new(FaultyDisk::from_bytes(4096, image, 1));
    let limit = || {
        disk.set_faults(Faults {
            cut_after: Some(MANY_STEPS),
            ..Faults::default()
        });
    };
    limit();
    let _report = check(&disk).await;
    limit();
    let Ok(store) = open(tasks, &disk).await else {
        return !disk.is_gone();
    };
    walk(&store, &limit).await;
    for number in 0..100 {
        limit();
        let _metadata = store
            .metadata(&key(&text!("{}/{number}", number % 7)))
            .await;
        let set = store
            .set(&key(&text!("new/{number}")), &value(number))
            .await;
        let _ranged = store.set_range(&key("new/range"), 70_000, b"range").await;
        if set.is_err() {
            let _removed = store.remove(&key(&text!("{}", number % 7))).await;
        }
    }
    limit();
    let _renamed = store.rename(&key("1"), &key("renamed")).await;
    limit();
    let _removed = store.remove(&Key::ROOT).await;
    !disk.is_gone()
}

async fn walk(store: &Store<Disk>, limit: &impl Fn()) {
    let mut dictionaries = vec![Key::ROOT];
    while let Some(dictionary) = dictionaries.pop() {
        let mut after = String::new();
        limit();
        while let Ok(entries) = store.list(&dictionary, &after, 10).await {
            let Some(last) = entries.last() else { break };
            assert!(last.name > after, "listing goes on");
            after.clone_from(&last.name);
            for entry in entries {
                let Ok(key) = dictionary.child(&entry.name) else {
                    continue;
                };
                match entry.kind {
                    KeyKind::Dictionary => dictionaries.push(key),
                    KeyKind::Value => {
                        let _value = store.get(&key, 1 << 20).await;
                    }
                }
            }
        }
    }
}

/// A page, a place in it, and what goes there.
fn mutation() -> impl Strategy<Value = (usize, usize, Vec<u8>)> {
    let small = prop_oneof![
        proptest::collection::vec(any::<u8>(), 1..9),
        (0..300u64).prop_map(|number| number.to_le_bytes().to_vec()),
        Just(vec![0xff; 8]),
    ];
    // Mostly the beginning of a page, where its structure is.
    let place = prop_oneof![24..200_usize, 0..PAGE - 8];
    (0..256_usize, place, small)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_hostile_image_is_an_error(
        mutations in proptest::collection::vec(mutation(), 1..20),
        moves in proptest::collection::vec((0..256_usize, 0..256_usize), 0..3),
    ) {
        let (mut image, _) = image();
        for (page, at, bytes) in mutations {
            image[page * PAGE + at..][..bytes.len()].copy_from_slice(&bytes);
            reseal(&mut image, page);
        }
        for (from, to) in moves {
            image.copy_within(from * PAGE..(from + 1) * PAGE, to * PAGE);
            crate::page::put(&mut image, to * PAGE + 8, to as u64);
            reseal(&mut image, to);
        }
        let ends = simulate(|tasks| async move { use_up(&tasks, image).await });
        prop_assert!(ends);
    }

    #[test]
    fn damage_is_noticed(damage in proptest::collection::vec((2 * PAGE..256 * PAGE, 1..=255u8), 1..8)) {
        let (mut image, values) = image();
        for (at, bits) in damage {
            image[at] ^= bits;
        }
        simulate(|tasks| async move {
            let disk = Rc::new(FaultyDisk::from_bytes(4096, image, 1));
            let Ok(store) = open(&tasks, &disk).await else {
                return;
            };
            let mut is_lost = false;
            for (key, value) in &values {
                match store.get(key, 10_000).await {
                    Ok(found) => assert_eq!(&found, value),
                    Err(error) => {
                        assert_eq!(error, Error::Damaged);
                        is_lost = true;
                    }
                }
            }
            let report = check(&disk).await.expect("it could be opened");
            assert_eq!(report.problems.is_empty(), !is_lost, "{report:?}");
        });
    }
}

#[test]
fn a_check_finds_what_the_bitmap_says_wrongly() {
    let (mut image, values) = image();
    let problems = |image: Vec<u8>| {
        simulate(|_| async move { check(FaultyDisk::from_bytes(4096, image, 1)).await })
    };
    let report = problems(image.clone()).expect("it is sound");
    assert_eq!(report.problems, []);
    assert_eq!(report.values, values.len() as u64);
    let bytes: usize = values.values().map(Vec::len).sum();
    assert_eq!(report.bytes, bytes as u64);
    assert_eq!(report.used + report.free, 256 - 4);
    // Both places of the bitmap's only page say that the first nodes' pages are free.
    for page in 2..4 {
        image[page * PAGE + crate::page::HEADER..][..32].fill(0);
        reseal(&mut image, page);
    }
    let report = problems(image.clone()).expect("it can be opened");
    assert!(matches!(report.problems[0], Problem::Unprotected(_)));
    for page in 2..4 {
        image[page * PAGE + crate::page::HEADER..][..32].fill(255);
        reseal(&mut image, page);
    }
    let report = problems(image).expect("it can be opened");
    assert!(matches!(report.problems[..], [Problem::Leaked(_)]));
    assert!(text!("{}", report.problems[0]).contains("count as used"));
}
