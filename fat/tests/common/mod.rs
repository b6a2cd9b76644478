//! FAT volumes for the tests.
#![allow(dead_code, reason = "each test program uses its own part")]

use fata_block::{Block, RamDisk};
use fata_fat::FatKv;
use fata_kv::{Entry, Key, Kind, KvRo};
use fata_task::{Handle, simulate};
use hadris_fat::{FatKind, FatOptions};
use std::collections::BTreeMap;

/// Bytes that a change may write.
pub const MOST: usize = 4 << 20;

pub fn key(text: &str) -> Key {
    text.parse().expect("it is a key")
}

/// An empty volume.
pub fn formatted(kind: FatKind, bytes: usize) -> Vec<u8> {
    let mut image = vec![0; bytes];
    let options = FatOptions::new().with_kind(kind);
    simulate(|_| async move {
        let made = hadris_fat::async_::format(&mut image, &options).await;
        made.expect("it is large enough");
        image
    })
}

pub async fn open<B: Block + 'static>(tasks: &Handle, disk: B) -> FatKv<B> {
    let volume = FatKv::open(tasks, disk, MOST).await;
    volume.expect("there is a volume")
}

/// Names in a dictionary, those of dictionaries with a `/`.
pub async fn names(store: &impl KvRo, dictionary: &str, after: &str, limit: usize) -> Vec<String> {
    let entries = store.list(&key(dictionary), after, limit).await;
    let name = |entry: Entry| match entry.kind {
        Kind::Value => entry.name,
        Kind::Dictionary => entry.name + "/",
    };
    let entries = entries.expect("it is there");
    entries.into_iter().map(name).collect()
}

/// All values.
pub async fn contents(store: &impl KvRo) -> BTreeMap<Key, Vec<u8>> {
    let mut values = BTreeMap::new();
    let mut dictionaries = vec![Key::ROOT];
    while let Some(dictionary) = dictionaries.pop() {
        let entries = store.list(&dictionary, "", 10_000).await;
        for Entry { name, kind } in entries.expect("it is there") {
            let key = dictionary.child(&name).expect("it was listed");
            if kind == Kind::Dictionary {
                dictionaries.push(key);
                continue;
            }
            let value = store.get(&key, 1 << 30).await;
            values.insert(key, value.expect("it was listed"));
        }
    }
    values
}

/// Checks what is on a disk.
pub async fn assert_sound(image: Vec<u8>, sector_size: usize) {
    let disk = RamDisk::from_bytes(sector_size, image);
    let mut findings = Vec::new();
    let checked = fata_fat::check(&disk, |finding| findings.push(finding.to_string())).await;
    assert_eq!(checked, Ok(0), "{findings:?}");
}
