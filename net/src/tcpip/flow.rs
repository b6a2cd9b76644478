use super::Config;
use super::schedule::Turn;
use alloc::vec;
use alloc::vec::Vec;
use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::udp;
use smoltcp::time::Instant;
use smoltcp::wire::IpListenEndpoint;

/// Bytes of buffer for each datagram that a UDP socket can hold.
const BYTES_PER_DATAGRAM: usize = 256;

/// One of smoltcp's sockets, in a socket set of its own.
///
/// smoltcp looks at every socket of a set for every packet. With a set for each socket,
/// and the right one found beforehand, the cost of a packet does not grow with their
/// number.
pub(super) struct Flow {
    pub(super) sockets: SocketSet<'static>,
    pub(super) handle: SocketHandle,
    pub(super) kind: Kind,
    pub(super) turn: Turn,
    /// Whether it waits for a neighbor's hardware address.
    pub(super) stalled: bool,
}

pub(super) enum Kind {
    /// The interface itself: ARP, ICMP and DHCP.
    Interface,
    Udp(Binding),
}

pub(super) struct Binding {
    pub(super) local: IpListenEndpoint,
    /// When datagrams began to wait for a neighbor's hardware address.
    pub(super) stalled_since: Option<Instant>,
}

impl Flow {
    /// The interface's own flow, still without a socket.
    pub(super) fn interface() -> Self {
        Self {
            sockets: SocketSet::new(Vec::new()),
            handle: SocketHandle::default(),
            kind: Kind::Interface,
            turn: Turn::default(),
            stalled: false,
        }
    }

    pub(super) fn udp(local: IpListenEndpoint, config: &Config) -> Option<Self> {
        let buffer = || {
            let count = (config.udp_buffer / BYTES_PER_DATAGRAM).max(1);
            udp::PacketBuffer::new(
                vec![udp::PacketMetadata::EMPTY; count],
                vec![0; config.udp_buffer],
            )
        };
        let mut socket = udp::Socket::new(buffer(), buffer());
        socket.bind(local).ok()?;
        let mut sockets = SocketSet::new(Vec::with_capacity(1));
        Some(Self {
            handle: sockets.add(socket),
            sockets,
            kind: Kind::Udp(Binding {
                local,
                stalled_since: None,
            }),
            turn: Turn::default(),
            stalled: false,
        })
    }

    /// The UDP socket and what belongs to it, if it is a UDP flow.
    pub(super) fn udp_socket(&mut self) -> Option<(&mut udp::Socket<'static>, &mut Binding)> {
        match &mut self.kind {
            Kind::Udp(binding) => Some((self.sockets.get_mut(self.handle), binding)),
            Kind::Interface => None,
        }
    }

    /// Lets smoltcp forget that the socket waits for a neighbor.
    pub(super) fn forget_neighbor(&mut self) {
        let socket = self.sockets.remove(self.handle);
        self.handle = match socket {
            smoltcp::socket::Socket::Udp(socket) => self.sockets.add(socket),
            smoltcp::socket::Socket::Dhcpv4(socket) => self.sockets.add(socket),
        };
    }
}
