use crate::figures::{AT_ONCE, BATCH, EACH, Figures, ONE, READS, VALUE, name, rate};
use fata_block::FileDisk;
use fata_block::file::{Access, DiskFile};
use fata_kv::{Change, Key, KvRo, KvRw};
use fata_store::{Limits, Store, format};
use fata_task::Handle;
use std::fs::File;
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

const SIZE: u64 = 64 << 20;

fn key(number: usize) -> Key {
    name(number).parse().expect("it is a key")
}

pub fn measure(path: &Path) -> Figures {
    let file = File::create(path).expect("there is room");
    file.set_len(SIZE).expect("there is room");
    let file = DiskFile::open(path, Access::ReadWrite).expect("it is a disk");
    let disk = FileDisk::start(file).expect("there are threads");
    fata_task::block_on(async |tasks| {
        format(&disk, 1).await.expect("it is large enough");
        let limits = Limits {
            cached_nodes: 4096,
            ..Limits::default()
        };
        let store = Rc::new(
            Store::open(&tasks, disk, limits)
                .await
                .expect("it is a store"),
        );
        Figures([
            one_at_a_time(&store).await,
            at_once(&tasks, &store).await,
            batch(&store).await,
            gets(&store).await,
        ])
    })
}

async fn one_at_a_time(store: &Store<FileDisk>) -> f64 {
    let start = Instant::now();
    for number in 0..ONE {
        store
            .set(&key(number), &[1; VALUE])
            .await
            .expect("there is room");
    }
    rate(ONE, start.elapsed())
}

async fn at_once(tasks: &Handle, store: &Rc<Store<FileDisk>>) -> f64 {
    let start = Instant::now();
    let workers: Vec<_> = (0..AT_ONCE)
        .map(|worker| {
            let store = Rc::clone(store);
            tasks.spawn(async move {
                for number in 0..EACH {
                    let key = key(1000 + worker * EACH + number);
                    store.set(&key, &[2; VALUE]).await.expect("there is room");
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.expect("it is not cancelled");
    }
    rate(AT_ONCE * EACH, start.elapsed())
}

async fn batch(store: &Store<FileDisk>) -> f64 {
    let keys: Vec<Key> = (0..10 * BATCH).map(|number| key(10_000 + number)).collect();
    let start = Instant::now();
    for keys in keys.chunks(BATCH) {
        let changes: Vec<_> = keys
            .iter()
            .map(|key| Change::Set(key, &[3; VALUE]))
            .collect();
        store.batch(&changes).await.expect("there is room");
    }
    rate(keys.len(), start.elapsed())
}

async fn gets(store: &Store<FileDisk>) -> f64 {
    let start = Instant::now();
    for number in 0..READS {
        let value = store
            .get(&key(10_000 + number * 7 % (10 * BATCH)), VALUE)
            .await;
        assert_eq!(value.expect("it is there"), [3; VALUE]);
    }
    rate(READS, start.elapsed())
}
