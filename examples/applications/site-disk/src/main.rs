//! Serves the pages that are on a disk: in a tar archive, on a FAT volume, or in a store of
//! `cargo fata disk`.
#![cfg_attr(fata_vm, no_std, no_main)]
#![forbid(unsafe_code)]

extern crate alloc;

mod pages;

use alloc::rc::Rc;
use fata_boot::{Env, Port};
use fata_http::{FileServer, KvFiles, Server};
use fata_memory::Part;
use fata_net::Stack;
use fata_store::Limits;

fata_boot::main!(app, Port<80>);

async fn app(env: Env, port: Port<80>) -> fata_boot::Result {
    let memory = env.memory();
    let limits = Limits::within(memory.room(Part::Storage) / 8);
    let _store = memory.try_take(Part::Storage, limits.bytes());
    let (pages, kind) = pages::open(&env.tasks, env.disk("site").await?, limits).await?;
    let network = env.network().await?;
    let listener = network.listen(port.into()).await?;
    log::info!("listening on port {port}: {kind}");
    let server = Server::new(env.tasks.clone())
        .access_log(|access| log::info!(target: "access", "{access}"));
    let files = FileServer::new(KvFiles::new(Rc::new(pages)));
    Ok(server.serve(listener, files).await?)
}
