//! Resets its machine, or starts its process anew, in the way that a request says, for the
//! system tests.
#![cfg_attr(fata_vm, no_std, no_main)]

use core::arch::asm;
use core::net::Ipv6Addr;
use fata_boot::Env;
use fata_http::{Response, Router, Server};
use fata_net::Stack;

fata_boot::main!(app);

async fn app(env: Env) -> fata_boot::Result {
    let network = env.network().await?;
    let listener = network.listen((Ipv6Addr::UNSPECIFIED, 80).into()).await?;
    log::info!("listening");
    let pages = Router::new()
        .get("/", async |_| Ok(Response::text("Hello, World!")))
        .get("/reboot", async |_| fata_boot::reboot())
        .get("/triple-fault", async |_| triple_fault());
    let server = Server::new(env.tasks.clone())
        .access_log(|access| log::info!(target: "access", "{access}"));
    Ok(server.serve(listener, pages).await?)
}

/// Raises an exception for which there is no gate, nor for those that follow from it. In a
/// process the first instruction ends it.
fn triple_fault() -> ! {
    let no_gates = [0u8; 10];
    // SAFETY: the machine is gone after the second instruction, and with it whatever relied on
    // the gates.
    unsafe {
        asm!("lidt [{}]", "ud2", in(reg) &raw const no_gates, options(noreturn));
    }
}
