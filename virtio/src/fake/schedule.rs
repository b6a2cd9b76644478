//! Events between two of the driver's accesses to shared memory, decided by the test.
//!
//! A watcher is called before each access. With delayed stores the driver's stores wait in
//! a buffer, as those of an x86 processor do (Intel's manual, volume 3, section 9.2): in
//! order, seen by its own loads, and written at the latest by the next full fence.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::cell::RefCell;
use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};

type Watcher = Box<dyn FnMut()>;

struct Schedule {
    watcher: Option<Watcher>,
    delays: bool,
    fences: bool,
    stores: VecDeque<Store>,
}

/// A store that only the driver has seen.
struct Store {
    address: usize,
    value: u64,
    bytes: usize,
}

impl Store {
    fn write(&self) {
        // SAFETY: `delays_store` got the address from an atomic of this size in the queue's
        // memory, which is freed after a reset, which writes the stores.
        unsafe {
            match self.bytes {
                2 => (*(self.address as *const AtomicU16))
                    .store(self.value as u16, Ordering::Relaxed),
                4 => (*(self.address as *const AtomicU32))
                    .store(self.value as u32, Ordering::Relaxed),
                _ => (*(self.address as *const AtomicU64)).store(self.value, Ordering::Relaxed),
            }
        }
    }
}

std::thread_local! {
    static SCHEDULE: RefCell<Schedule> = const {
        RefCell::new(Schedule {
            watcher: None,
            delays: false,
            fences: true,
            stores: VecDeque::new(),
        })
    };
}

fn with<R>(action: impl FnOnce(&mut Schedule) -> R) -> R {
    SCHEDULE.with_borrow_mut(action)
}

/// As long as it lives, this thread's accesses are watched.
pub struct Watch(());

impl Watch {
    /// Calls `watcher` before each access. It is not called from within itself.
    pub fn new(watcher: impl FnMut() + 'static) -> Self {
        with(|schedule| schedule.watcher = Some(Box::new(watcher)));
        Self(())
    }

    /// Delays stores. Without `fences`, fences do not write them.
    pub fn delay_stores(&self, fences: bool) {
        with(|schedule| (schedule.delays, schedule.fences) = (true, fences));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        while write_store() {}
        let watcher = with(|schedule| {
            (schedule.delays, schedule.fences) = (false, true);
            schedule.watcher.take()
        });
        drop(watcher);
    }
}

/// Writes the oldest delayed store. Returns false if there is none.
pub fn write_store() -> bool {
    let store = with(|schedule| schedule.stores.pop_front());
    store.inspect(Store::write).is_some()
}

/// How many stores are delayed at the moment.
pub fn delayed_stores() -> usize {
    with(|schedule| schedule.stores.len())
}

fn watch() {
    let watcher = with(|schedule| schedule.watcher.take());
    if let Some(mut watcher) = watcher {
        watcher();
        with(|schedule| schedule.watcher = Some(watcher));
    }
}

/// The value that a load finds in the driver's own stores.
pub(crate) fn before_load(address: usize) -> Option<u64> {
    watch();
    with(|schedule| {
        let stores = schedule.stores.iter().rev();
        let mut same = stores.filter(|store| store.address == address);
        same.next().map(|store| store.value)
    })
}

/// Keeps a store back, or returns false.
pub(crate) fn delays_store(address: usize, value: u64, bytes: usize) -> bool {
    watch();
    with(|schedule| {
        if schedule.delays {
            schedule.stores.push_back(Store {
                address,
                value,
                bytes,
            });
        }
        schedule.delays
    })
}

pub(crate) fn fence() {
    watch();
    if with(|schedule| schedule.fences) {
        flush();
    }
}

/// Registers of devices are written behind all stores.
pub(super) fn flush() {
    while write_store() {}
}
