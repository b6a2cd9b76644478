//! TCP/IP over any [`Net`] device.
//!
//! TCP is `fata-tcp`, and ours is what finds the connection of a segment and whose turn it is,
//! what sends datagrams, and DHCP; what UDP sockets receive, ARP and ICMP are smoltcp's. The
//! cost of a packet does not grow with the number of connections. Connections are made when
//! their handshake is done: no pool of listening sockets can run dry.
//!
//! [`Config`] has the bounds. Beyond that: a half-open connection is given up after 15 seconds,
//! connecting after 30, and a connection that the application has dropped is reset if it does not
//! close within 30. It gets 30 more, five minutes in all, as long as the peer takes at least 16 KiB
//! in that time of what was written before. A datagram for a neighbor that does not answer within
//! 1.5 seconds is dropped; up to 64 of a socket, for up to 16 neighbors, wait for that, and the
//! others are dropped at once.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod address;
mod admission;
mod allowance;
mod arp;
mod backlog;
mod config;
mod connections;
mod cookie;
mod datagrams;
mod dhcp;
mod engine;
mod error;
mod flow;
mod flows;
mod frame;
mod handshakes;
mod host_address;
mod icmp_error;
mod ipv6;
mod listener;
mod metrics;
mod neighbors;
mod next_hop;
mod orphans;
mod outbox;
mod phy;
mod ports;
mod quota;
mod route;
mod runner;
mod schedule;
mod shared;
mod sockets;
mod statistics;
mod stream;
mod table;
#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod testing;
#[cfg(test)]
mod tests;
mod udp;
mod vlan;
mod wire;

pub use config::{Config, Ipv4Config, Ipv6Config};
pub use host_address::{AddressError, check_host, check_router};
pub use listener::TcpListener;
pub use statistics::{Statistics, Totals};
pub use stream::{ReadHalf, TcpStream, WriteHalf};
pub use udp::UdpSocket;
pub use vlan::VlanId;

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use engine::Engine;
use fata_memory::Part;
use fata_memory::tally::scoped;
#[cfg(feature = "virtio")]
use fata_net::VirtioNet;
use fata_net::{Error, Net, Stack};
use fata_task::{Event, Handle};
use phy::Adapter;
use shared::Shared;

/// After so long without an address there is a warning.
const ADDRESS_PATIENCE: Duration = Duration::from_secs(10);

/// A TCP/IP stack. Clones are handles to one stack.
#[derive(Clone)]
pub struct TcpIp {
    shared: Rc<Shared>,
}

impl TcpIp {
    /// Starts a stack on `device`, and spawns the task that drives it for as long as the
    /// executor runs.
    ///
    /// `seed` has to be different and unpredictable at each start: the keys from which
    /// sequence numbers and cookies are computed follow from it, and ports.
    pub fn start<N: Net + 'static>(tasks: &Handle, device: N, config: Config, seed: u64) -> Self {
        let mut adapter = Adapter::new(device, config.vlan);
        let engine = Engine::new(&mut adapter, config, tasks.clone(), seed);
        let shared = Rc::new(Shared {
            engine: RefCell::new(engine),
            wake: Event::new(),
        });
        let runner = runner::run(Rc::clone(&shared), adapter, tasks.clone());
        tasks.spawn(scoped(Part::Network, runner));
        let stack = Self { shared };
        if !stack.shared.engine.borrow().is_configured() {
            tasks.spawn(warn_if_not_configured(stack.clone(), tasks.clone()));
        }
        stack
    }

    /// As [`start`](Self::start). The code that runs for each packet is compiled with this
    /// crate, for speed; that which is generic is compiled with the program, which may prefer size.
    #[cfg(feature = "virtio")]
    pub fn start_on_nic(tasks: &Handle, nic: VirtioNet, config: Config, seed: u64) -> Self {
        Self::start(tasks, nic, config, seed)
    }

    /// Waits until the interface has an address by which others can reach it: an IPv4
    /// address, or an IPv6 address that is not link-local if IPv4 is off or no DHCP server
    /// has answered for ten seconds. Ready at once if it was given one, or is to have none.
    pub async fn configured(&self) {
        let is_configured = || self.shared.engine.borrow().is_configured();
        let waiters = Rc::clone(&self.shared.engine.borrow().address_waiters);
        waiters.wait(is_configured).await;
    }

    /// The interface's addresses, each with the length of its network's prefix.
    pub fn addresses(&self) -> Vec<(IpAddr, u8)> {
        let engine = self.shared.engine.borrow();
        let addresses = engine.interface.ip_addrs().iter();
        addresses
            .map(|cidr| (cidr.address().into(), cidr.prefix_len()))
            .collect()
    }

    /// The recursive name servers that the network has told: the DHCP server's, then those of
    /// routers (RFC 8106), seven at most.
    pub fn dns_servers(&self) -> Vec<IpAddr> {
        self.shared.engine.borrow().dns_servers().collect()
    }

    /// Figures of the stack: what it holds and has counted. Looks at every connection.
    pub fn statistics(&self) -> Statistics {
        self.shared.engine.borrow().statistics()
    }
}

async fn warn_if_not_configured(stack: TcpIp, tasks: Handle) {
    if tasks
        .timeout(ADDRESS_PATIENCE, stack.configured())
        .await
        .is_ok()
    {
        return;
    }
    let mut engine = stack.shared.engine.borrow_mut();
    if let Some(client) = &engine.dhcp {
        let trouble = client.trouble();
        log::warn!(target: "net", "{trouble}; still asking (or give --ipv4)");
        engine.give_up_ipv4();
    } else {
        log::warn!(target: "net", "no router announces a network; still asking (or give --ipv6)");
    }
}

impl Stack for TcpIp {
    type Listener = TcpListener;
    type Stream = TcpStream;
    type Socket = UdpSocket;

    async fn listen(&self, local: SocketAddr) -> Result<TcpListener, Error> {
        TcpListener::new(&self.shared, local)
    }

    async fn connect(&self, remote: SocketAddr) -> Result<TcpStream, Error> {
        TcpStream::connect(&self.shared, remote).await
    }

    async fn bind(&self, local: SocketAddr) -> Result<UdpSocket, Error> {
        UdpSocket::new(&self.shared, local)
    }
}

impl embedded_nal_async::TcpConnect for TcpIp {
    type Error = Error;
    type Connection<'a> = TcpStream;

    async fn connect(&self, remote: SocketAddr) -> Result<TcpStream, Error> {
        TcpStream::connect(&self.shared, remote).await
    }
}
