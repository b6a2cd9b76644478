//! A store on a disk that injects faults, beside a model of it in memory.
#![allow(dead_code, reason = "each test program uses its own part")]

pub mod operation;

use fata_block::FaultyDisk;
use fata_kv::{Change, Entry, Key, Kind, KvRo, KvRw, MemoryKv};
use fata_store::{Limits, Store, check};
use fata_task::Handle;
use std::collections::BTreeMap;
use std::rc::Rc;

pub type Disk = Rc<FaultyDisk>;

pub fn key(text: &str) -> Key {
    text.parse().expect("it is a key")
}

/// A disk of so many KiB with an empty store.
pub async fn formatted(sector_size: usize, kib: u64, seed: u64) -> Disk {
    let sectors = kib * 1024 / sector_size as u64;
    let disk = Rc::new(FaultyDisk::new(sector_size, sectors, seed));
    fata_store::format(&disk, seed)
        .await
        .expect("it is large enough");
    disk
}

/// Few nodes in memory, so that most are read anew.
pub const LIMITS: Limits = Limits {
    cached_nodes: 16,
    waiting: 2 << 20,
};

pub async fn open(tasks: &Handle, disk: &Disk) -> Store<Disk> {
    let store = Store::open(tasks, Rc::clone(disk), LIMITS).await;
    store.expect("there is a store")
}

/// How much a test does: a number from the environment, or what is quick.
pub fn amount(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(amount) => amount.parse().expect("the variable is a number"),
        Err(_) => default,
    }
}

/// All values of a store, found by listing its dictionaries a few entries at a time.
pub async fn contents(store: &impl KvRo) -> BTreeMap<Key, Vec<u8>> {
    contents_of(store, &Key::ROOT).await
}

/// The same of a dictionary, which need not be there.
pub async fn contents_of(store: &impl KvRo, dictionary: &Key) -> BTreeMap<Key, Vec<u8>> {
    let mut values = BTreeMap::new();
    let mut dictionaries = vec![dictionary.clone()];
    if store.exists(dictionary).await == Ok(None) {
        return values;
    }
    while let Some(dictionary) = dictionaries.pop() {
        let mut after = String::new();
        loop {
            let entries = store
                .list(&dictionary, &after, 7)
                .await
                .expect("it is there");
            let Some(last) = entries.last() else { break };
            after.clone_from(&last.name);
            for Entry { name, kind } in entries {
                let key = dictionary.child(&name).expect("it was listed");
                match kind {
                    Kind::Dictionary => dictionaries.push(key),
                    Kind::Value => {
                        let value = store.get(&key, 1 << 30).await;
                        values.insert(key, value.expect("it was listed"));
                    }
                }
            }
        }
    }
    values
}

/// A copy of a model.
pub async fn copy(tasks: &Handle, values: &BTreeMap<Key, Vec<u8>>) -> MemoryKv {
    let model = MemoryKv::new(tasks, 1 << 30);
    let changes: Vec<_> = values
        .iter()
        .map(|(key, value)| Change::Set(key, value))
        .collect();
    model.batch(&changes).await.expect("it has room");
    model
}

/// Checks what is on a disk.
pub async fn assert_sound(bytes: Vec<u8>, sector_size: usize) {
    let report = check(FaultyDisk::from_bytes(sector_size, bytes, 0)).await;
    let problems = report.expect("there is a store").problems;
    assert!(problems.is_empty(), "{problems:?}");
}
