//! Tells for how long the processor is busy with a request of a disk, which is overwritten, and
//! with an operation of a store.
//!
//! The figures do not depend on how quick the disk is: the driver polls for the end of a request
//! only once it has long ended, and the store is on a disk in memory.
#![cfg_attr(fata_vm, no_std, no_main)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::boxed::Box;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::Cell;
use core::error::Error;
use core::time::Duration;
use fata_block::{Block, RamDisk};
use fata_boot::{Disk, Env};
use fata_kv::{Key, KvRo, KvRw};
use fata_store::{Limits, Store};
use fata_task::{join, yield_now};

fata_boot::main!(app);

/// Requests of each kind.
const REQUESTS: u64 = 100;
/// Bytes of a request.
const REQUEST: usize = 4096;
/// By when a request has ended, almost always, also where the host has other things to do.
const ENDED: Duration = Duration::from_millis(1);

/// Operations of each kind.
const OPERATIONS: u64 = 1000;
/// Bytes of a value.
const VALUE: usize = 100;
/// Sectors of the disk of the store, of 512 bytes.
const SECTORS: u64 = 16 << 11;

type Result<T> = core::result::Result<T, Box<dyn Error>>;

async fn app(env: Env) -> Result<()> {
    let disk = env.disk("disk").await?;
    measure_disk(&env, &disk).await?;
    measure_store(&env).await
}

async fn measure_disk(env: &Env, disk: &Disk) -> Result<()> {
    let sectors = (REQUEST / disk.geometry().sector_size) as u64;
    measure_requests(env, "write", async |number| {
        disk.write(number * sectors, vec![1; REQUEST]).await?;
        Ok(())
    })
    .await?;
    measure_requests(env, "read", async |number| {
        disk.read(number * sectors, vec![0; REQUEST]).await?;
        Ok(())
    })
    .await
}

/// Logs how long the processor was busy with a request: the median.
async fn measure_requests(
    env: &Env,
    name: &str,
    request: impl AsyncFn(u64) -> Result<()>,
) -> Result<()> {
    let mut each = Vec::new();
    for number in 0..REQUESTS {
        let waited = Cell::new(Duration::ZERO);
        let before = env.busy();
        let wait = async {
            // The driver has its turn first, to tell the device.
            yield_now().await;
            waited.set(stay_busy(env));
        };
        join(request(number), wait).await.0?;
        each.push(env.busy() - before - waited.get());
    }
    each.sort_unstable();
    report(name, each[each.len() / 2]);
    Ok(())
}

/// Keeps everything else from running until a request has ended. Returns for how long.
fn stay_busy(env: &Env) -> Duration {
    let start = env.busy();
    loop {
        let waited = env.busy() - start;
        if waited >= ENDED {
            return waited;
        }
    }
}

async fn measure_store(env: &Env) -> Result<()> {
    let disk = RamDisk::new(512, SECTORS);
    // A number that does not change, so that everything repeats.
    fata_store::format(&disk, 1).await?;
    let store = Store::open(&env.tasks, disk, Limits::default()).await?;
    measure_operations(env, "set", async |number| {
        Ok(store.set(&key(number)?, &[1; VALUE]).await?)
    })
    .await?;
    measure_operations(env, "get", async |number| {
        store.get(&key(number)?, VALUE).await?;
        Ok(())
    })
    .await
}

fn key(number: u64) -> Result<Key> {
    Ok(format!("values/{number}").parse()?)
}

/// Logs how long the processor was busy with an operation: the average, as some do work for
/// others. Only the second round is measured, so values replace those of the first.
async fn measure_operations(
    env: &Env,
    name: &str,
    operation: impl AsyncFn(u64) -> Result<()>,
) -> Result<()> {
    let all = async || {
        for number in 0..OPERATIONS {
            operation(number).await?;
        }
        Result::Ok(())
    };
    all().await?;
    let before = env.busy();
    all().await?;
    report(name, (env.busy() - before) / OPERATIONS as u32);
    Ok(())
}

fn report(name: &str, busy: Duration) {
    log::info!("{name}: busy for {} ns", busy.as_nanos());
}
