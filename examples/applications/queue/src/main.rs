//! A queue of uploads over HTTP, kept on a disk: PUT /uploader, GET and DELETE /downloader.
#![cfg_attr(fata_vm, no_std, no_main)]
#![forbid(unsafe_code)]

extern crate alloc;

mod service;

use alloc::boxed::Box;
use core::error::Error;
use core::net::{Ipv6Addr, SocketAddr};
use fata_boot::{Args, ArgsError, Env, FromArgs};
use fata_http::Server;
use fata_memory::{Budget, Part};
use fata_net::Stack;
use fata_queue::{Queue, TRANSFER_BYTES};
use service::{limits, service};

#[global_allocator]
static HEAP: fata_boot::heap::Talc = fata_boot::heap::Talc::new();

fata_boot::main!(app, Options);

/// Most uploads that have data in memory at once, and most downloads.
const MOST_TRANSFERS: usize = 64;

/// What an upload and a download hold.
const TRANSFER: usize = 2 * TRANSFER_BYTES;

struct Options {
    port: u16,
}

impl FromArgs for Options {
    fn from_args(args: &mut Args) -> Result<Self, ArgsError> {
        Ok(Self {
            port: args.option("port", "PORT", "TCP port to serve on", 8080)?,
        })
    }
}

async fn app(env: Env, options: Options) -> Result<(), Box<dyn Error>> {
    let disk = env.disk("queue").await?;
    let memory = env.memory();
    let transfers = transfers(&memory);
    let _transfers = memory.try_take(Part::Storage, transfers * TRANSFER);
    let queue = Queue::open(disk, env.tasks.clone(), transfers).await?;
    let network = env.network().await?;
    let everywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, options.port));
    let listener = network.listen(everywhere).await?;
    log::info!(target: "queue", "listening on port {}", options.port);
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
