use super::frame::Tuple;
use super::{Config, Error};
use alloc::vec;
use alloc::vec::Vec;
use fata_task::DeadlineKey;
use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::{AnySocket, tcp, udp};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::IpListenEndpoint;

/// A half-open connection is forgotten after so long. SYN+ACK is sent four times then.
const HALF_OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// An acknowledgement waits that long for data to travel with, but two segments never do.
const ACK_DELAY: Duration = Duration::from_millis(5);
/// The largest buffer, in bytes, that TCP's window scaling can make use of (RFC 7323).
const MAX_BUFFER: usize = 1 << 30;
/// Bytes of buffer for each datagram that a UDP socket can hold.
const BYTES_PER_DATAGRAM: usize = 256;

/// One socket, in a socket set of its own.
///
/// smoltcp looks at every socket of a set for every packet. With a set for each socket,
/// and the right one found beforehand, the cost of a packet does not grow with their
/// number.
pub(super) struct Flow {
    pub(super) sockets: SocketSet<'static>,
    pub(super) handle: SocketHandle,
    pub(super) kind: Kind,
    /// Whether it is in the queue of flows that may have something to send.
    pub(super) ready: bool,
    /// Whether it waits for a neighbor's hardware address.
    pub(super) stalled: bool,
    /// The timer that is set for it.
    pub(super) timer: Option<(Instant, DeadlineKey)>,
}

pub(super) enum Kind {
    /// The interface itself: ARP, ICMP and DHCP.
    Interface,
    Tcp(Connection),
    Udp(Binding),
}

pub(super) struct Connection {
    pub(super) tuple: Tuple,
    pub(super) owner: Owner,
    /// The state that smoltcp's socket was last seen in.
    pub(super) state: tcp::State,
    /// How many streams and halves of streams refer to it.
    pub(super) handles: u8,
    /// Why it ended, if it did not end well.
    pub(super) error: Option<Error>,
    /// The peer has closed its side.
    pub(super) peer_finished: bool,
    /// This side is closed.
    pub(super) write_closed: bool,
    /// When TIME-WAIT began.
    pub(super) time_wait_since: Option<Instant>,
    /// When a connection that nobody owns any more is reset.
    pub(super) abort_at: Option<Instant>,
}

/// Who cares for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The listener with this key, which counts it as half open.
    HalfOpen(usize),
    /// The listener with this key, until it is accepted.
    Waiting(usize),
    /// A stream of the application.
    Stream,
    /// Nobody: it closes in the background.
    Nobody,
}

pub(super) struct Binding {
    pub(super) local: IpListenEndpoint,
    /// When datagrams began to wait for a neighbor's hardware address.
    pub(super) stalled_since: Option<Instant>,
}

impl Flow {
    fn new(socket: impl AnySocket<'static>, kind: Kind) -> Self {
        let mut sockets = SocketSet::new(Vec::with_capacity(1));
        Self {
            handle: sockets.add(socket),
            sockets,
            kind,
            ready: false,
            stalled: false,
            timer: None,
        }
    }

    /// The interface's own flow, still without a socket.
    pub(super) fn interface() -> Self {
        Self {
            sockets: SocketSet::new(Vec::new()),
            handle: SocketHandle::default(),
            kind: Kind::Interface,
            ready: false,
            stalled: false,
            timer: None,
        }
    }

    /// A connection whose SYN is about to be given to it.
    pub(super) fn accepting(tuple: Tuple, listener: usize, config: &Config) -> Option<Self> {
        let mut socket = tcp_socket(config);
        socket.set_timeout(Some(HALF_OPEN_TIMEOUT));
        socket.listen(tuple.local()).ok()?;
        let connection = Connection::new(tuple, Owner::HalfOpen(listener), tcp::State::Listen);
        Some(Self::new(socket, Kind::Tcp(connection)))
    }

    /// A connection that is opened from here; `socket` has been told to connect.
    pub(super) fn connecting(tuple: Tuple, socket: tcp::Socket<'static>) -> Self {
        let connection = Connection::new(tuple, Owner::Stream, tcp::State::SynSent);
        Self::new(socket, Kind::Tcp(connection))
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
        let binding = Binding {
            local,
            stalled_since: None,
        };
        Some(Self::new(socket, Kind::Udp(binding)))
    }

    /// The TCP socket and what belongs to it, if it is a TCP flow.
    pub(super) fn tcp(&mut self) -> Option<(&mut tcp::Socket<'static>, &mut Connection)> {
        match &mut self.kind {
            Kind::Tcp(connection) => Some((self.sockets.get_mut(self.handle), connection)),
            Kind::Udp(_) | Kind::Interface => None,
        }
    }

    /// The UDP socket and what belongs to it, if it is a UDP flow.
    pub(super) fn udp_socket(&mut self) -> Option<(&mut udp::Socket<'static>, &mut Binding)> {
        match &mut self.kind {
            Kind::Udp(binding) => Some((self.sockets.get_mut(self.handle), binding)),
            Kind::Tcp(_) | Kind::Interface => None,
        }
    }

    /// Lets smoltcp forget that the socket waits for a neighbor.
    pub(super) fn forget_neighbor(&mut self) {
        let socket = self.sockets.remove(self.handle);
        self.handle = match socket {
            smoltcp::socket::Socket::Udp(socket) => self.sockets.add(socket),
            smoltcp::socket::Socket::Tcp(socket) => self.sockets.add(socket),
            smoltcp::socket::Socket::Dhcpv4(socket) => self.sockets.add(socket),
        };
    }
}

impl Connection {
    fn new(tuple: Tuple, owner: Owner, state: tcp::State) -> Self {
        Self {
            tuple,
            owner,
            state,
            handles: 1,
            error: None,
            peer_finished: false,
            write_closed: false,
            time_wait_since: None,
            abort_at: None,
        }
    }
}

/// A TCP socket with its buffers.
fn tcp_socket(config: &Config) -> tcp::Socket<'static> {
    let buffer = |size: usize| tcp::SocketBuffer::new(vec![0; size.clamp(1, MAX_BUFFER)]);
    let receive = buffer(config.receive_buffer);
    let transmit = buffer(config.transmit_buffer);
    let mut socket = tcp::Socket::new(receive, transmit);
    socket.set_nagle_enabled(false);
    socket.set_ack_delay(Some(ACK_DELAY));
    socket.set_keep_alive(Some(config.keep_alive.into()));
    socket
}

/// A TCP socket that is to connect.
pub(super) fn connecting_socket(config: &Config) -> tcp::Socket<'static> {
    let mut socket = tcp_socket(config);
    socket.set_timeout(Some(CONNECT_TIMEOUT));
    socket
}
