//! The interface of a network stack to applications and protocols.
#![allow(
    async_fn_in_trait,
    reason = "one core, one executor: no future has to be Send"
)]

use crate::Error;
use core::net::SocketAddr;
use embedded_io_async::{BufRead, Read, Write};
use fata_memory::Budget;

/// A network stack: TCP and UDP over IPv4 and IPv6. Clones are handles to one stack.
///
/// To listen or bind on all addresses give the unspecified one (`0.0.0.0` or `[::]`);
/// `[::]` takes IPv4 peers too. Port 0 lets the stack choose a port.
pub trait Stack: Clone + 'static {
    /// A socket that accepts connections.
    type Listener: TcpListener<Stream = Self::Stream> + 'static;
    /// A TCP connection.
    type Stream: TcpStream + 'static;
    /// A UDP socket.
    type Socket: UdpSocket + 'static;

    /// Listens for TCP connections.
    ///
    /// # Errors
    /// [`Error::AddressInUse`], [`Error::AddressNotAvailable`], [`Error::LimitReached`].
    async fn listen(&self, local: SocketAddr) -> Result<Self::Listener, Error>;

    /// Connects to a TCP server.
    ///
    /// # Errors
    /// [`Error::ConnectionRefused`], [`Error::TimedOut`], [`Error::Unreachable`],
    /// [`Error::NotConfigured`], [`Error::LimitReached`].
    async fn connect(&self, remote: SocketAddr) -> Result<Self::Stream, Error>;

    /// Opens a UDP socket.
    ///
    /// # Errors
    /// [`Error::AddressInUse`], [`Error::AddressNotAvailable`], [`Error::LimitReached`].
    async fn bind(&self, local: SocketAddr) -> Result<Self::Socket, Error>;
}

/// A socket that accepts TCP connections. Dropping it frees the port; accepted
/// connections live on.
pub trait TcpListener {
    /// The connections that come in.
    type Stream: TcpStream + 'static;

    /// Waits for the next connection.
    ///
    /// # Errors
    /// [`Error::LimitReached`] and [`Error::Other`] may pass: wait a little and try again.
    async fn accept(&self) -> Result<Self::Stream, Error>;

    /// The address that it listens on, with the port that was chosen.
    fn local_addr(&self) -> SocketAddr;

    /// Tells that the peers of this protocol send first, so that a connection need not be
    /// accepted before its first bytes are there. A hint: a connection that sends nothing may be
    /// accepted at once, or after some seconds.
    fn peers_send_first(&self) {}

    /// Tells whether the stack may hold one more connection. While it may not, none comes in
    /// before another one ends. A task that waits in [`accept`](Self::accept) is woken when
    /// somebody was turned away. If others take the room after this has told of some,
    /// [`accept`](Self::accept) may fail with [`Error::LimitReached`].
    fn has_room(&self) -> bool {
        true
    }

    /// The program's memory, of which servers take what they hold for each connection.
    fn memory(&self) -> Budget {
        Budget::unbounded()
    }
}

/// A TCP connection.
///
/// A read of zero bytes into a non-empty buffer means that the peer has closed its
/// side. Dropping a stream closes it gracefully: what was written is still delivered, in
/// the background, for a bounded time.
pub trait TcpStream: Read<Error = Error> + BufRead + Write<Error = Error> {
    /// The half that reads, see [`split`](Self::split).
    type ReadHalf: Read<Error = Error> + BufRead + 'static;
    /// The half that writes. Dropping it, once the other is gone too, closes the stream.
    type WriteHalf: Write<Error = Error> + 'static;

    /// This side's address.
    fn local_addr(&self) -> SocketAddr;

    /// The peer's address.
    fn peer_addr(&self) -> SocketAddr;

    /// Tells that the end follows what is written next, so that both may leave in one segment. A
    /// hint: the end still has to come, by [`shutdown`](Self::shutdown) or by dropping the stream,
    /// and until then the stream may keep some of the bytes back.
    fn announce_end(&mut self) {}

    /// Sends what was written, then closes this side (FIN). The peer may go on sending.
    ///
    /// # Errors
    /// As for writing.
    async fn shutdown(&mut self) -> Result<(), Error>;

    /// Resets the connection (RST) and drops what was not sent yet.
    fn abort(&mut self);

    /// Splits the stream into halves that two tasks can own.
    fn split(self) -> (Self::ReadHalf, Self::WriteHalf);
}

/// A UDP socket.
pub trait UdpSocket {
    /// The address that it is bound to, with the port that was chosen.
    fn local_addr(&self) -> SocketAddr;

    /// Sends one datagram.
    ///
    /// # Errors
    /// [`Error::TooLong`], [`Error::Unreachable`], [`Error::NotConfigured`].
    async fn send_to(&self, payload: &[u8], remote: SocketAddr) -> Result<(), Error>;

    /// Waits for a datagram and copies it to `buffer`; what does not fit is cut off.
    /// Returns its length in the buffer and its sender.
    ///
    /// # Errors
    /// [`Error::Other`] if the host fails.
    async fn receive_from(&self, buffer: &mut [u8]) -> Result<(usize, SocketAddr), Error>;
}
