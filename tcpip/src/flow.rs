use super::Config;
use super::outbox::Outbox;
use super::schedule::Turn;
use alloc::vec;
use alloc::vec::Vec;
use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::udp;
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
    /// True while it waits for a neighbor's hardware address.
    pub(super) stalled: bool,
    /// True once its socket is gone.
    pub(super) released: bool,
}

pub(super) enum Kind {
    /// The interface itself: ARP, ICMP and DHCP.
    Interface,
    /// Received datagrams are in its socket, those to be sent here.
    Udp(Outbox),
}

impl Flow {
    /// The interface's own flow, which has no socket.
    pub(super) fn interface() -> Self {
        Self {
            sockets: SocketSet::new(Vec::new()),
            handle: SocketHandle::default(),
            kind: Kind::Interface,
            turn: Turn::default(),
            stalled: false,
            released: false,
        }
    }

    pub(super) fn udp(local: IpListenEndpoint, config: &Config) -> Option<Self> {
        let count = (config.udp_buffer / BYTES_PER_DATAGRAM).max(1);
        let incoming = udp::PacketBuffer::new(
            vec![udp::PacketMetadata::EMPTY; count],
            vec![0; config.udp_buffer],
        );
        let nothing = udp::PacketBuffer::new(Vec::new(), Vec::new());
        let mut socket = udp::Socket::new(incoming, nothing);
        socket.bind(local).ok()?;
        let mut sockets = SocketSet::new(Vec::with_capacity(1));
        Some(Self {
            handle: sockets.add(socket),
            sockets,
            kind: Kind::Udp(Outbox::new(count, config.udp_buffer)),
            turn: Turn::default(),
            stalled: false,
            released: false,
        })
    }

    /// The UDP socket that receives, if it is a UDP flow.
    pub(super) fn udp_socket(&mut self) -> Option<&mut udp::Socket<'static>> {
        match &self.kind {
            Kind::Udp(_) => Some(self.sockets.get_mut(self.handle)),
            Kind::Interface => None,
        }
    }

    /// The datagrams to be sent, if it is a UDP flow.
    pub(super) fn outbox(&mut self) -> Option<&mut Outbox> {
        match &mut self.kind {
            Kind::Udp(outbox) => Some(outbox),
            Kind::Interface => None,
        }
    }
}
