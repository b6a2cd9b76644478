//! Serves the pages that are on a disk: in a tar archive, on a FAT volume, or in a store of
//! `cargo fata disk`.
#![cfg_attr(fata_vm, no_std, no_main)]
#![forbid(unsafe_code)]

extern crate alloc;

mod pages;

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::error::Error;
use core::net::{Ipv6Addr, SocketAddr};
use fata_boot::{Args, ArgsError, Env, FromArgs};
use fata_http::{FileServer, KvFiles, Server};
use fata_memory::Part;
use fata_net::Stack;
use fata_store::Limits;

#[global_allocator]
static HEAP: fata_boot::heap::Talc = fata_boot::heap::Talc::new();

fata_boot::main!(app, Options);

struct Options {
    port: u16,
}

impl FromArgs for Options {
    fn from_args(args: &mut Args) -> Result<Self, ArgsError> {
        Ok(Self {
            port: args.option("port", "PORT", "TCP port to serve on", 80)?,
        })
    }
}

async fn app(env: Env, options: Options) -> Result<(), Box<dyn Error>> {
    let memory = env.memory();
    let limits = Limits::within(memory.room(Part::Storage) / 8);
    let _store = memory.try_take(Part::Storage, limits.bytes());
    let (pages, kind) = pages::open(&env.tasks, env.disk("site").await?, limits).await?;
    let network = env.network().await?;
    let everywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, options.port));
    let listener = network.listen(everywhere).await?;
    log::info!("listening on port {}: {kind}", options.port);
    let server = Server::new(env.tasks.clone())
        .access_log(|access| log::info!(target: "access", "{access}"));
    let files = FileServer::new(KvFiles::new(Rc::new(pages)));
    Ok(server.serve(listener, files).await?)
}
