use super::vlan::VlanId;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use fata_memory::Budget;

/// How a [`TcpIp`](super::TcpIp) stack is set up, and its bounds.
#[derive(Clone, Debug)]
pub struct Config {
    /// The IPv4 address.
    pub ipv4: Ipv4Config,
    /// The IPv6 addresses.
    pub ipv6: Ipv6Config,
    /// The name that a DHCP server is told, of up to 63 bytes; a longer one is not told.
    pub host_name: Option<&'static str>,
    /// The VLAN that this host is in, if it is not in the network of frames without a tag: only
    /// that one's frames are taken in, and own frames are tagged.
    pub vlan: Option<VlanId>,
    /// TCP connections, without those that are half open or in TIME-WAIT. At the bound peers
    /// that complete a handshake wait, half open, until others end, and connecting from here fails
    /// with [`Error::LimitReached`](fata_net::Error::LimitReached).
    pub max_connections: usize,
    /// For each listener: connections that wait to be accepted, and connections that are half
    /// open, of which there are never more than 1,024. At the first bound SYNs are dropped, so that
    /// clients try again. At the second bound they are answered with cookies, of which nothing is
    /// kept. A listener never answers with RST.
    pub backlog: usize,
    /// Connections in TIME-WAIT, of some 200 bytes each. At the bound the oldest is
    /// forgotten.
    pub max_time_wait: usize,
    /// Listeners and UDP sockets in all. At the bound, opening one more fails with
    /// [`Error::LimitReached`](fata_net::Error::LimitReached).
    pub max_sockets: usize,
    /// Bytes that a connection holds at most for the application to read. The window that
    /// the peer sees grows to it if the application reads as data comes. Memory is taken
    /// as data arrives. More than 2 MiB count as 2 MiB.
    pub receive_buffer: usize,
    /// Bytes that a connection holds at most until the peer has acknowledged them. Memory
    /// is taken as data is written. More than 2 MiB count as 2 MiB.
    pub transmit_buffer: usize,
    /// Bytes in the buffers of all TCP connections. Near the bound no new connections are
    /// taken in and buffers do not grow; at the bound data that arrives is dropped, to be
    /// sent again, and writing waits.
    pub buffer_memory: usize,
    /// The program's memory, of which the buffers are a part. Near its end the bound is lower than
    /// [`buffer_memory`](Self::buffer_memory).
    pub memory: Budget,
    /// Bytes that a UDP socket holds for each direction, and up to 64 datagrams beside whose
    /// neighbors are asked for.
    pub udp_buffer: usize,
    /// An idle connection is probed that often.
    pub keep_alive: Duration,
    /// A connection is given up when the peer was silent for so long, probes included.
    /// Must be longer than `keep_alive`.
    pub timeout: Duration,
}

impl Default for Config {
    /// DHCP, IPv6 addresses as routers announce them, up to 2 MiB a connection, 64 MiB in all.
    fn default() -> Self {
        Self {
            ipv4: Ipv4Config::default(),
            ipv6: Ipv6Config::default(),
            host_name: None,
            vlan: None,
            max_connections: 4_096,
            backlog: 4_096,
            max_time_wait: 4_096,
            max_sockets: 256,
            receive_buffer: 1 << 20,
            transmit_buffer: 1 << 20,
            buffer_memory: 64 << 20,
            memory: Budget::unbounded(),
            udp_buffer: 32 * 1024,
            keep_alive: Duration::from_secs(60),
            timeout: Duration::from_secs(180),
        }
    }
}

/// Where the IPv4 address comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ipv4Config {
    /// No IPv4.
    Off,
    /// A DHCP server gives it (RFC 2131). UDP port 68 is in use then.
    #[default]
    Dhcp,
    /// It is given. One that no host can have counts as [`Off`](Self::Off).
    Static {
        /// The address.
        address: Ipv4Addr,
        /// The length of the network's prefix, up to 32.
        prefix: u8,
        /// The router to other networks, inside of this one or not. One that no other host can
        /// be is left out.
        gateway: Option<Ipv4Addr>,
    },
}

/// Which IPv6 addresses the interface has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ipv6Config {
    /// No IPv6.
    Off,
    /// The link-local one, made from the MAC address (RFC 4291, appendix A), and those that
    /// routers announce: up to four, made from their prefixes in the same way (RFC 4862).
    #[default]
    Auto,
    /// Only the link-local one.
    LinkLocal,
    /// The link-local one and a given one. Announcements of routers are not heard. An address
    /// that no host can have is left out, as is a router that no other host can be.
    Static {
        /// The address.
        address: Ipv6Addr,
        /// The length of the network's prefix, up to 128.
        prefix: u8,
        /// The router to other networks.
        gateway: Option<Ipv6Addr>,
    },
}
