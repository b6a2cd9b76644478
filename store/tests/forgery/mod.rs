//! Images that an enemy has made: pages with anything in them, and with the right checksums.

use fata_block::{Faults, FaultyDisk};
use fata_kv::{Key, Kind, KvRo, KvRw};
use fata_store::{Limits, Store, check, format};
use fata_task::{Handle, simulate};
use std::collections::BTreeMap;
use std::rc::Rc;
use twox_hash::XxHash64;

pub const PAGE: usize = 4096;
pub const PAGES: usize = 256;
const IDENTITY: u64 = 77;

/// More steps than any request on so small a disk takes.
const MANY_STEPS: u64 = 50_000;

pub type Disk = Rc<FaultyDisk>;

pub fn key(text: &str) -> Key {
    text.parse().expect("it is a key")
}

fn value(number: usize) -> Vec<u8> {
    let length = [3, 300, 1000, 9_000][number % 4];
    (0..length).map(|at| (at + number) as u8).collect()
}

/// A store with keys enough for three levels, and what is in it.
pub fn image() -> (Vec<u8>, BTreeMap<Key, Vec<u8>>) {
    simulate(|tasks| async move {
        let disk = Rc::new(FaultyDisk::new(PAGE, PAGES as u64, 1));
        format(&disk, IDENTITY).await.expect("it is large enough");
        let store = open(&tasks, &disk).await.expect("there is a store");
        let mut values = BTreeMap::new();
        for number in 0..100 {
            let long = "x".repeat(400 * usize::from(number % 3 == 0));
            let key = key(&format!("{}/{number}{long}", number % 7));
            store.set(&key, &value(number)).await.expect("it has room");
            values.insert(key, value(number));
        }
        (disk.contents(), values)
    })
}

pub async fn open(tasks: &Handle, disk: &Disk) -> Result<Store<Disk>, fata_kv::Error> {
    let limits = Limits {
        cached_nodes: 4,
        ..Limits::default()
    };
    Store::open(tasks, Rc::clone(disk), limits).await
}

/// Makes a page's number and checksum right.
pub fn reseal(image: &mut [u8], page: usize) {
    let bytes = &mut image[page * PAGE..][..PAGE];
    let seed = match bytes[24] {
        1 => page as u64,
        2 | 3 => IDENTITY ^ page as u64,
        _ => return,
    };
    bytes[8..16].copy_from_slice(&(page as u64).to_le_bytes());
    let sum = XxHash64::oneshot(seed, &bytes[8..]);
    bytes[..8].copy_from_slice(&sum.to_le_bytes());
}

/// Changes an image as the input says, five bytes at a time, and uses the store that is in it.
pub fn run(sound: &[u8], input: &[u8]) {
    let mut image = sound.to_vec();
    for change in input.chunks_exact(5) {
        let page = usize::from(change[1]);
        let at = usize::from(u16::from_le_bytes([change[2], change[3]])) % (PAGE - 8);
        // Mostly the beginning of a page, where its structure is.
        let at = if change[0] & 8 == 0 { at % 256 } else { at };
        let place = page * PAGE + at;
        match change[0] % 8 {
            0 => image[place] = change[4],
            1 => image[place..place + 8].copy_from_slice(&u64::from(change[4]).to_le_bytes()),
            2 => image[place..place + 8].fill(change[4]),
            3 => image[place] = image[place].wrapping_add(1),
            4 => {
                let from = usize::from(change[4]) * PAGE;
                image.copy_within(from..from + PAGE, page * PAGE);
            }
            _ => image[place] ^= change[4],
        }
        reseal(&mut image, page);
    }
    let is_over = simulate(|tasks| async move { use_up(&tasks, image).await });
    assert!(is_over, "a request came to no end");
}

/// Uses all of a store, whatever comes of it. False if that did not come to an end.
async fn use_up(tasks: &Handle, image: Vec<u8>) -> bool {
    let disk = Rc::new(FaultyDisk::from_bytes(PAGE, image, 1));
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
    for number in 0..20 {
        limit();
        let name = key(&format!("{}/{number}", number % 7));
        let _metadata = store.metadata(&name).await;
        let set = store
            .set(&key(&format!("new/{number}")), &value(number))
            .await;
        let _ranged = store.set_range(&name, 70_000, b"range").await;
        if set.is_err() {
            let _removed = store.remove(&key(&format!("{}", number % 7))).await;
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
                let key = dictionary.child(&entry.name).expect("names are sound");
                match entry.kind {
                    Kind::Dictionary => dictionaries.push(key),
                    Kind::Value => {
                        let _value = store.get(&key, 1 << 20).await;
                    }
                }
            }
        }
    }
}
