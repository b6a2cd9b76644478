//! Sets its wall clock by a network time server, and keeps it right.
#![cfg_attr(fata_vm, no_std, no_main)]
#![forbid(unsafe_code)]

mod client;
mod follower;
#[cfg(test)]
mod tests;

use client::Client;
use core::fmt;
use core::net::{AddrParseError, IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::str::FromStr;
use core::time::Duration;
use fata_boot::rand_core::Rng;
use fata_boot::{Args, ArgsError, Env, FromArgs};
use fata_net::Stack;
use follower::Follower;

/// The port of NTP servers.
const PORT: u16 = 123;

fata_boot::main!(app, Options, heap = LinkedList);

struct Options {
    server: Server,
    interval: Duration,
    once: bool,
}

impl FromArgs for Options {
    fn from_args(args: &mut Args) -> Result<Self, ArgsError> {
        let server = args.optional("server", "IP[:PORT]", "the time server to follow")?;
        let interval: u32 = args.option(
            "interval",
            "SECONDS",
            "how often to ask it; public servers want 64 or more",
            64,
        )?;
        Ok(Self {
            server: server.unwrap_or_default(),
            interval: Duration::from_secs(interval.max(1).into()),
            once: args.flag("once", "print the clock's offset and end, with status 0")?,
        })
    }
}

/// A server's address, its port 123 if not given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Server(Option<SocketAddr>);

impl FromStr for Server {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, AddrParseError> {
        let address = text
            .parse()
            .or_else(|_| text.parse().map(|ip: IpAddr| SocketAddr::new(ip, PORT)))?;
        Ok(Self(Some(address)))
    }
}

/// No server was given.
#[derive(Debug)]
struct NoServer;

impl fmt::Display for NoServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no time server; give one as --server IP")
    }
}

impl core::error::Error for NoServer {}

async fn app(env: Env, options: Options) -> fata_boot::Result {
    let server = options.server.0.ok_or(NoServer)?;
    let network = env.network().await?;
    let local = match server {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let mut random = env.rng()?;
    let client = Client::new(&env.tasks, network.bind(local).await?, server, move || {
        random.next_u64()
    });
    let mut follower = Follower::new(&env.tasks, client);
    if options.once {
        return Ok(follower.print_offset().await?);
    }
    Ok(follower.follow(options.interval).await?)
}
