use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;

/// How a [`TcpIp`](super::TcpIp) stack is set up, and its bounds.
#[derive(Clone, Debug)]
pub struct Config {
    /// The IPv4 address.
    pub ipv4: Ipv4Config,
    /// The IPv6 addresses.
    pub ipv6: Ipv6Config,
    /// TCP connections in all, from the first SYN to the end of TIME-WAIT. At the bound,
    /// a new connection takes the place of the oldest one in TIME-WAIT, else of the oldest
    /// half-open one of its listener; else its SYN is dropped without an answer, and
    /// connecting from here fails with [`Error::LimitReached`](crate::Error::LimitReached).
    pub max_connections: usize,
    /// For each listener: connections that are half open, and connections that wait to be
    /// accepted. At the first bound SYNs are kept, eight times as many, until there is a
    /// place: when a connection is established, when the oldest half-open one has not been
    /// answered for half a second, or, in a flood, when too many SYNs are kept: then the
    /// oldest half-open one is dropped. At the second bound SYNs are dropped, so that
    /// clients try again. A listener never answers with RST.
    pub backlog: usize,
    /// Connections in TIME-WAIT. At the bound the oldest is forgotten.
    pub max_time_wait: usize,
    /// Listeners and UDP sockets in all. At the bound, opening one more fails with
    /// [`Error::LimitReached`](crate::Error::LimitReached).
    pub max_sockets: usize,
    /// Bytes that a connection holds for the application to read. It is the window that
    /// the peer sees. Allocated when the SYN arrives.
    pub receive_buffer: usize,
    /// Bytes that a connection holds until the peer has acknowledged them. Allocated when
    /// the SYN arrives.
    pub transmit_buffer: usize,
    /// Bytes that a UDP socket holds for each direction.
    pub udp_buffer: usize,
    /// An idle connection is probed that often.
    pub keep_alive: Duration,
    /// A connection is given up when the peer was silent for so long, probes included.
    /// Must be longer than `keep_alive`.
    pub timeout: Duration,
}

impl Default for Config {
    /// DHCP, a link-local IPv6 address, 16 KiB a connection.
    fn default() -> Self {
        Self {
            ipv4: Ipv4Config::default(),
            ipv6: Ipv6Config::default(),
            max_connections: 4_096,
            backlog: 128,
            max_time_wait: 64,
            max_sockets: 256,
            receive_buffer: 8 * 1024,
            transmit_buffer: 8 * 1024,
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
    /// A DHCP server gives it (RFC 2131).
    #[default]
    Dhcp,
    /// It is given.
    Static {
        /// The address.
        address: Ipv4Addr,
        /// The length of the network's prefix, up to 32.
        prefix: u8,
        /// The router to other networks.
        gateway: Option<Ipv4Addr>,
    },
}

/// Which IPv6 addresses the interface has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ipv6Config {
    /// No IPv6.
    Off,
    /// Only the link-local one, made from the MAC address (RFC 4291, appendix A).
    #[default]
    LinkLocal,
    /// The link-local one and a given one.
    Static {
        /// The address.
        address: Ipv6Addr,
        /// The length of the network's prefix, up to 128.
        prefix: u8,
        /// The router to other networks.
        gateway: Option<Ipv6Addr>,
    },
}
