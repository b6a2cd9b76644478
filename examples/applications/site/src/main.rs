//! A folder of pages, compiled in and served over HTTP. Cargo.toml names the folder.
#![cfg_attr(fata_vm, no_std, no_main)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::boxed::Box;
use core::error::Error;
use core::net::{Ipv6Addr, SocketAddr};
use fata_boot::{Args, ArgsError, Env, FromArgs};
use fata_http::{FileEntry, FileServer, FileTable, Server};
use fata_net::Stack;

#[global_allocator]
static HEAP: fata_boot::heap::Talc = fata_boot::heap::Talc::new();

fata_boot::main!(app, Options);

static FILES: &[FileEntry] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

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
    let network = env.network().await?;
    let everywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, options.port));
    let listener = network.listen(everywhere).await?;
    log::info!("listening on port {}: {} files", options.port, FILES.len());
    let server = Server::new(env.tasks.clone())
        .access_log(|access| log::info!(target: "access", "{access}"));
    let pages = FileServer::new(FileTable::new(FILES));
    Ok(server.serve(listener, pages).await?)
}
