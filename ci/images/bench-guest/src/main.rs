//! The services that the bench measures: HTTP on port 80, a TCP sink on 9, a source of bytes on
//! 19, a UDP echo on 7. `GET /metrics` has what the stack counts, for Prometheus; `GET /stats`
//! tells how much of the heap is in use, and how much processor time was used; `GET /blk` reads
//! and writes the disk.
#![cfg_attr(fata_vm, no_std, no_main)]
#![forbid(unsafe_code)]

extern crate alloc;

mod disk;

use alloc::rc::Rc;
use alloc::{format, vec};
use core::net::{Ipv6Addr, SocketAddr};
use core::time::Duration;
use embedded_io_async::{BufRead, Write};
use fata_boot::{Args, ArgsError, Env, FromArgs};
use fata_http::{Limits, Response, Router, Server, metrics};
use fata_net::{Stack, TcpListener, UdpSocket};
use fata_task::Handle;

fata_boot::main!(app, Options);

/// Bytes that the source writes at a time.
const BLOCK: usize = 64 * 1024;

/// As many connections as the largest load opens, and for as long as it wants.
const CONNECTIONS: usize = 12_000;
const IDLE: Duration = Duration::from_secs(3600);

struct Options {
    offset: u16,
}

impl FromArgs for Options {
    fn from_args(args: &mut Args) -> Result<Self, ArgsError> {
        let help = "added to every port, for a process without privileges";
        Ok(Self {
            offset: args.option("port-offset", "NUMBER", help, 0)?,
        })
    }
}

async fn app(env: Env, options: Options) -> fata_boot::Result {
    let on =
        |port: u16| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port.saturating_add(options.offset)));
    let network = env.network().await?;
    let tasks = &env.tasks;
    tasks.spawn(echo(network.bind(on(7)).await?));
    tasks.spawn(sink(network.listen(on(9)).await?, tasks.clone()));
    tasks.spawn(source(network.listen(on(19)).await?, tasks.clone()));
    let http = network.listen(on(80)).await?;
    log::info!(target: "bench-guest", "listening");
    let server = Server::new(tasks.clone()).limits(Limits {
        connections: CONNECTIONS,
        idle_timeout: IDLE,
        ..Limits::default()
    });
    // A machine without a disk has the other services.
    let disk = env.disk("bench").await.ok().map(Rc::new);
    let jobs = tasks.clone();
    let pages = Router::new()
        .get("/", async |_| Ok(Response::text("Hello, World!")))
        .get("/blk", async move |request| {
            let Some(disk) = disk.clone() else {
                return Ok(Response::text("0 0 err=19\n"));
            };
            Ok(Response::text(disk::measure(&jobs, disk, request).await))
        })
        .get("/metrics", async move |_| {
            Ok(metrics(network.statistics().metrics()))
        })
        .get("/stats", async move |_| {
            let (heap, busy) = (env.heap().used, env.busy().as_nanos());
            Ok(Response::text(format!(
                "heap-used {heap}\nbusy-ns {busy}\n"
            )))
        });
    Ok(server.serve(http, pages).await?)
}

/// Sends every datagram back.
async fn echo(socket: impl UdpSocket) {
    let mut buffer = [0; 2048];
    while let Ok((length, peer)) = socket.receive_from(&mut buffer).await {
        // A peer that cannot be reached asks again, or does not.
        let _ = socket.send_to(&buffer[..length], peer).await;
    }
}

/// Reads and drops.
async fn sink(listener: impl TcpListener, tasks: Handle) {
    while let Ok(mut stream) = listener.accept().await {
        tasks.spawn(async move {
            while let Ok(length @ 1..) = stream.fill_buf().await.map(<[u8]>::len) {
                stream.consume(length);
            }
        });
    }
}

/// Writes until the peer closes.
async fn source(listener: impl TcpListener, tasks: Handle) {
    while let Ok(mut stream) = listener.accept().await {
        tasks.spawn(async move {
            let block = vec![b'x'; BLOCK];
            while stream.write_all(&block).await.is_ok() {}
        });
    }
}
