//! Tests of the stack: two stacks on an in-memory link, or a stack and hand-made frames,
//! under a fake clock.

extern crate std;

mod address;
mod arp;
mod bounds;
mod closing;
mod crowd;
mod dhcp;
mod drops;
mod hostile;
mod icmp_error;
mod memory;
mod model;
mod moving;
mod offload;
mod orphans;
mod packets;
mod refusal;
mod router;
mod routers;
mod shortage;
mod tcp;
mod udp;
mod vlan;

use super::*;
use core::net::{Ipv4Addr, Ipv6Addr};
use embedded_io_async::{BufRead, Read, Write};
use fata_net::{Link, TcpListener as _, TcpStream as _, UdpSocket as _};
use fata_task::simulate;
use std::vec;
use std::vec::Vec;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
const CLIENT_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);

/// All addresses of both families.
fn everywhere(port: u16) -> SocketAddr {
    (Ipv6Addr::UNSPECIFIED, port).into()
}

fn server(port: u16) -> SocketAddr {
    (SERVER, port).into()
}

fn config(ipv4: Ipv4Addr, ipv6: Ipv6Addr) -> Config {
    Config {
        ipv4: Ipv4Config::Static {
            address: ipv4,
            prefix: 24,
            gateway: None,
        },
        ipv6: Ipv6Config::Static {
            address: ipv6,
            prefix: 64,
            gateway: None,
        },
        ..Config::default()
    }
}

fn server_config() -> Config {
    config(SERVER, SERVER_V6)
}

fn client_config() -> Config {
    config(CLIENT, CLIENT_V6)
}

/// A server and a client on a link without loss.
fn network(tasks: &Handle, server: Config, client: Config) -> (TcpIp, TcpIp) {
    let (one, other) = Link::pair(256);
    (
        TcpIp::start(tasks, one, server, 1),
        TcpIp::start(tasks, other, client, 2),
    )
}

/// Serves port 7 with an echo, each connection in a task of its own.
fn spawn_echo(tasks: &Handle, stack: &TcpIp) {
    let (spawner, stack) = (tasks.clone(), stack.clone());
    tasks.spawn(async move {
        let listener = stack.listen(everywhere(7)).await.expect("the port is free");
        loop {
            let stream = listener.accept().await.expect("accepting goes on");
            spawner.spawn(echo(stream));
        }
    });
}

async fn echo(mut stream: TcpStream) -> Result<(), Error> {
    let mut buffer = [0; 1_000];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            count => stream.write_all(&buffer[..count]).await?,
        }
    }
}

async fn read_to_end(stream: &mut impl Read<Error = Error>) -> Result<Vec<u8>, Error> {
    let (mut all, mut buffer) = (Vec::new(), [0; 700]);
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(all),
            count => all.extend_from_slice(&buffer[..count]),
        }
    }
}

/// Bytes that differ from their neighbors.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index * 31 % 251) as u8).collect()
}
