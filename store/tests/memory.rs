//! Memory does not depend on how much is stored.

mod common;

use common::{LIMITS, key};
use fata_block::{Faults, FaultyDisk, RamDisk};
use fata_kv::{Key, KvRo, KvRw};
use fata_store::{Store, format};
use fata_task::{select, simulate, yield_now};
use std::alloc::{GlobalAlloc, Layout, System};
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// Memory is counted for one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

struct Counting;

// SAFETY: every call is handed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of this very function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of this very function.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most memory that it takes to write, read, rename and remove so many values.
fn peak(values: usize) -> usize {
    simulate(|tasks| async move {
        let disk = Rc::new(RamDisk::new(4096, 16 << 10));
        format(&disk, 1).await.unwrap();
        let before = NOW.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        let store = Store::open(&tasks, disk, LIMITS).await.unwrap();
        for number in 0..values {
            let key = key(&format!("dictionary/with/a/long/name/{number}"));
            store.set(&key, &[7; 700]).await.unwrap();
        }
        for first in 0..values as u64 / 100 {
            let value = [first as u8; 50_000];
            store
                .set_range(&key("large"), first * 50_000, &value)
                .await
                .unwrap();
        }
        let mut buffer = [0; 1000];
        assert_eq!(
            store.get_range(&key("large"), 0, &mut buffer).await,
            Ok(1000)
        );
        // Both change every node in one transaction.
        store
            .rename(&key("dictionary"), &key("renamed"))
            .await
            .unwrap();
        store.remove(&Key::ROOT).await.unwrap();
        PEAK.load(Ordering::Relaxed) - before
    })
}

/// A change is made also if its request is dropped, so it takes its share of the limit until then.
#[test]
fn requests_that_are_dropped_take_no_more_memory() {
    let _alone = ALONE.lock();
    simulate(|tasks| async move {
        let disk = Rc::new(FaultyDisk::new(4096, 4 << 10, 1));
        format(&disk, 1).await.unwrap();
        disk.set_faults(Faults {
            delay: 1000,
            ..Faults::default()
        });
        let store = Store::open(&tasks, disk, LIMITS).await.unwrap();
        let before = NOW.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        let value = vec![7; 500_000];
        for number in 0..100 {
            let key = key(&format!("{number}"));
            let _either = select(store.set(&key, &value), yield_now()).await;
        }
        let peak = PEAK.load(Ordering::Relaxed) - before;
        assert!(
            peak < value.len() + LIMITS.waiting + (2 << 20),
            "{peak} bytes"
        );
    });
}

#[test]
fn ten_times_the_values_take_no_more_memory() {
    let _alone = ALONE.lock();
    let (few, many) = (peak(2_000), peak(20_000));
    assert!(many < few + few / 10, "{few} bytes, then {many}");
    assert!(many < 2 << 20, "{many} bytes");
}
