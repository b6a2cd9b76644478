//! A queue of uploads over HTTP, kept on a disk: PUT /uploader, GET and DELETE /downloader.
#![cfg_attr(fata_vm, no_std, no_main)]
#![forbid(unsafe_code)]

extern crate alloc;

mod service;

use fata_boot::{Env, Port};
use fata_http::Server;
use fata_memory::{Budget, Part};
use fata_net::Stack;
use fata_queue::{Queue, TRANSFER_BYTES};
use service::{limits, service};

fata_boot::main!(app, Port<8080>);

/// Most uploads that have data in memory at once, and most downloads.
const MOST_TRANSFERS: usize = 64;

/// Bytes that an upload and a download hold together.
const TRANSFER: usize = 2 * TRANSFER_BYTES;

async fn app(env: Env, port: Port<8080>) -> fata_boot::Result {
    let disk = env.disk("queue").await?;
    let memory = env.memory();
    let transfers = transfers(&memory);
    let _transfers = memory.try_take(Part::Storage, transfers * TRANSFER);
    let queue = Queue::open(disk, env.tasks.clone(), transfers).await?;
    let network = env.network().await?;
    let listener = network.listen(port.into()).await?;
    log::info!(target: "queue", "listening on port {port}");
    let limits = limits();
    let waiting = waiting(&memory, limits.request_memory);
    let server = Server::new(env.tasks.clone()).limits(limits);
    Ok(server.serve(listener, service(queue, waiting)).await?)
}

/// As many uploads wait for their turn as an eighth of the memory has room for, a few in any case.
fn waiting(memory: &Budget, request: usize) -> usize {
    (memory.room(Part::Http) / 8 / request).max(8)
}

/// As many uploads, and downloads, as a quarter of the memory has room for.
fn transfers(memory: &Budget) -> usize {
    (memory.room(Part::Storage) / 4 / TRANSFER).clamp(1, MOST_TRANSFERS)
}
