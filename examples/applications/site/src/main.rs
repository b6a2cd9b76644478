//! A folder of pages, compiled in and served over HTTP. Cargo.toml names the folder.
#![cfg_attr(fata_vm, no_std, no_main)]
#![forbid(unsafe_code)]

use fata_boot::{Env, Port};
use fata_http::{FileEntry, FileServer, FileTable, Server};
use fata_net::Stack;

fata_boot::main!(app, Port<80>);

static FILES: &[FileEntry] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

async fn app(env: Env, port: Port<80>) -> fata_boot::Result {
    let network = env.network().await?;
    let listener = network.listen(port.into()).await?;
    log::info!("listening on port {port}: {} files", FILES.len());
    let server = Server::new(env.tasks.clone())
        .access_log(|access| log::info!(target: "access", "{access}"));
    let pages = FileServer::new(FileTable::new(FILES));
    Ok(server.serve(listener, pages).await?)
}
