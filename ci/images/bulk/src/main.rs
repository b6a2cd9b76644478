//! A sink on port 9 and a source on port 19 of a stream whose every byte is known (`pattern.rs`).
//!
//! The sink reads to the end, then answers with eight bytes, little-endian: how many bytes came,
//! all of which were right; it resets the connection at the first that is wrong. The source is told
//! in eight bytes how many to send.
#![cfg_attr(fata_vm, no_std, no_main)]
#![forbid(unsafe_code)]

extern crate alloc;

mod pattern;

use alloc::vec;
use core::net::Ipv6Addr;
use embedded_io_async::ReadExactError;
use fata_boot::Env;
use fata_net::{Stack, TcpListener, TcpStream};
use fata_task::Handle;

fata_boot::main!(app);

/// Bytes that are read and written at a time.
const BLOCK: usize = 64 * 1024;

async fn app(env: Env) -> fata_boot::Result {
    let network = env.network().await?;
    let sinks = network.listen((Ipv6Addr::UNSPECIFIED, 9).into()).await?;
    let sources = network.listen((Ipv6Addr::UNSPECIFIED, 19).into()).await?;
    log::info!(target: "bulk", "listening");
    env.tasks.spawn(serve_sources(sources, env.tasks.clone()));
    loop {
        let stream = sinks.accept().await?;
        env.tasks
            .spawn(async { report("sink", sink(stream).await) });
    }
}

async fn serve_sources(listener: impl TcpListener, tasks: Handle) {
    while let Ok(stream) = listener.accept().await {
        tasks.spawn(async { report("source", source(stream).await) });
    }
}

fn report(what: &str, result: Result<(), ReadExactError<fata_net::Error>>) {
    if let Err(error) = result {
        log::warn!(target: "bulk", "{what}: {error}");
    }
}

async fn sink(mut stream: impl TcpStream) -> Result<(), ReadExactError<fata_net::Error>> {
    let (mut block, mut expected) = (vec![0; BLOCK], vec![0; BLOCK]);
    let mut count = 0;
    loop {
        let length = stream.read(&mut block).await?;
        if length == 0 {
            break;
        }
        if !pattern::matches(count, &block[..length], &mut expected) {
            log::error!(target: "bulk", "wrong bytes within {length} from {count} on");
            stream.abort();
            return Ok(());
        }
        count += length as u64;
    }
    stream.write_all(&count.to_le_bytes()).await?;
    stream.shutdown().await?;
    Ok(())
}

async fn source(mut stream: impl TcpStream) -> Result<(), ReadExactError<fata_net::Error>> {
    let mut count = [0; 8];
    stream.read_exact(&mut count).await?;
    let count = u64::from_le_bytes(count);
    let mut block = vec![0; BLOCK];
    let mut place = 0;
    while place < count {
        let length = BLOCK.min(usize::try_from(count - place).unwrap_or(BLOCK));
        pattern::fill(place, &mut block[..length]);
        stream.write_all(&block[..length]).await?;
        place += length as u64;
    }
    stream.shutdown().await?;
    Ok(())
}
