//! Tells how long the processor is busy with a request of a disk and with an operation of a store
//! on it. It overwrites the disk.
#![cfg_attr(fata_vm, no_std, no_main)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::boxed::Box;
use alloc::format;
use alloc::vec;
use core::error::Error;
use fata_block::Block;
use fata_boot::{Disk, Env};
use fata_kv::{Key, KvRo, KvRw};
use fata_store::{Limits, Store};

#[global_allocator]
static HEAP: fata_boot::heap::Talc = fata_boot::heap::Talc::new();

fata_boot::main!(app);

/// How often each is done: once to fill caches, and once to measure.
const TIMES: u64 = 1000;
/// Bytes of a request.
const REQUEST: usize = 4096;
/// Bytes of a value.
const VALUE: usize = 100;

type Result<T> = core::result::Result<T, Box<dyn Error>>;

async fn app(env: Env) -> Result<()> {
    let disk = env.disk("disk").await?;
    measure_disk(&env, &disk).await?;
    measure_store(&env, disk).await
}

async fn measure_disk(env: &Env, disk: &Disk) -> Result<()> {
    let sectors = (REQUEST / disk.geometry().sector_size) as u64;
    measure(env, "write", async |number| {
        let written = disk.write(number * sectors, vec![1; REQUEST]).await;
        Ok(drop(written?))
    })
    .await?;
    measure(env, "read", async |number| {
        let read = disk.read(number * sectors, vec![0; REQUEST]).await;
        Ok(drop(read?))
    })
    .await
}

/// The second time, values replace those of the first.
async fn measure_store(env: &Env, disk: Disk) -> Result<()> {
    // A number that does not change, so that everything repeats.
    fata_store::format(&disk, 1).await?;
    let store = Store::open(&env.tasks, disk, Limits::default()).await?;
    measure(env, "set", async |number| {
        Ok(store.set(&key(number)?, &[1; VALUE]).await?)
    })
    .await?;
    measure(env, "get", async |number| {
        Ok(drop(store.get(&key(number)?, VALUE).await?))
    })
    .await
}

fn key(number: u64) -> Result<Key> {
    Ok(format!("values/{number}").parse()?)
}

/// Does something [`TIMES`] times, and logs how long the processor was busy with all of it.
async fn measure(env: &Env, name: &str, work: impl AsyncFn(u64) -> Result<()>) -> Result<()> {
    for is_measured in [false, true] {
        let before = env.busy();
        for number in 0..TIMES {
            work(number).await?;
        }
        if is_measured {
            let busy = (env.busy() - before).as_nanos();
            log::info!("{TIMES} times {name}: busy for {busy} ns");
        }
    }
    Ok(())
}
