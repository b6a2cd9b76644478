//! TCP connections of the host.

use super::ahead::Ahead;
use super::limit::{Shared, Slot};
use super::socket::{UNKNOWN, canonical, open};
use super::watch::{Watch, readable, would_block, writable};
use crate::{Error, TcpStream};
use alloc::rc::Rc;
use core::cell::Cell;
use core::net::SocketAddr;
use core::time::Duration;
use embedded_io_async::{BufRead, ErrorType, Read, Write};
use fata_task::{Event, Readiness};
use rustix::io::{Errno, ioctl_fionread};
use rustix::net::{SendFlags, Shutdown, SocketType, connect_unspec, sockopt};
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;

/// How long a connection that was dropped goes on to take what the peer still sends.
const LINGER: Duration = Duration::from_secs(2);
/// How much of that it takes at a time.
const LINGER_BUFFER: usize = 4_096;

/// A TCP connection of the host.
pub struct HostStream {
    link: Link,
    ahead: Ahead,
}

/// The half of a [`HostStream`] that reads.
pub struct HostReadHalf {
    link: Link,
    ahead: Ahead,
}

/// The half of a [`HostStream`] that writes.
pub struct HostWriteHalf {
    link: Link,
}

impl HostStream {
    /// A connection that a listener has accepted.
    pub(super) fn accepted(slot: Slot, socket: OwnedFd, peer: SocketAddr) -> Self {
        Self::new(slot, socket, peer, Acknowledging::WithAnswer)
    }

    fn new(slot: Slot, socket: OwnedFd, peer: SocketAddr, acknowledging: Acknowledging) -> Self {
        let connection = Connection {
            watch: Watch::default(),
            socket: socket.into(),
            slot,
            peer: canonical(peer),
            input: Cell::new(Input::Unknown),
            shut: Cell::new(false),
            ends: Cell::new(false),
            acknowledging: Cell::new(acknowledging),
        };
        Self {
            link: Link(Rc::new(connection)),
            ahead: Ahead::default(),
        }
    }

    pub(super) async fn connect(shared: &Rc<Shared>, remote: SocketAddr) -> Result<Self, Error> {
        if !shared.has_room() {
            return Err(Error::LimitReached);
        }
        // A socket of IPv6 need not be told then whether it serves IPv4, too.
        let remote = canonical(remote);
        let slot = shared.slot();
        let socket = open(&remote, SocketType::STREAM)?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        let stream = Self::new(slot, socket, remote, Acknowledging::Usual);
        stream.link.0.connect().await?;
        Ok(stream)
    }
}

impl TcpStream for HostStream {
    type ReadHalf = HostReadHalf;
    type WriteHalf = HostWriteHalf;

    fn local_addr(&self) -> SocketAddr {
        self.link.0.socket.local_addr().map_or(UNKNOWN, canonical)
    }

    fn peer_addr(&self) -> SocketAddr {
        self.link.0.peer
    }

    /// The host waits for the end for a fifth of a second at most (`MSG_MORE`).
    fn announce_end(&mut self) {
        self.link.0.ends.set(true);
    }

    async fn shutdown(&mut self) -> Result<(), Error> {
        self.link.0.shutdown()
    }

    fn abort(&mut self) {
        self.link.0.abort();
    }

    fn split(self) -> (HostReadHalf, HostWriteHalf) {
        let reader = HostReadHalf {
            link: Link(Rc::clone(&self.link.0)),
            ahead: self.ahead,
        };
        (reader, HostWriteHalf { link: self.link })
    }
}

macro_rules! reads {
    ($type:ty) => {
        impl Read for $type {
            async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
                match self.ahead.read(buffer) {
                    0 => self.link.0.read(buffer).await,
                    count => Ok(count),
                }
            }
        }

        impl BufRead for $type {
            async fn fill_buf(&mut self) -> Result<&[u8], Error> {
                if self.ahead.bytes().is_empty() {
                    let count = self.link.0.read(self.ahead.room()).await?;
                    self.ahead.filled(count);
                }
                Ok(self.ahead.bytes())
            }

            fn consume(&mut self, count: usize) {
                self.ahead.consume(count);
            }
        }
    };
}

macro_rules! writes {
    ($type:ty) => {
        impl Write for $type {
            async fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
                self.link.0.write(bytes).await
            }

            /// The host sends what was written without being asked.
            async fn flush(&mut self) -> Result<(), Error> {
                Ok(())
            }
        }
    };
}

impl ErrorType for HostStream {
    type Error = Error;
}

impl ErrorType for HostReadHalf {
    type Error = Error;
}

impl ErrorType for HostWriteHalf {
    type Error = Error;
}

reads!(HostStream);
reads!(HostReadHalf);
writes!(HostStream);
writes!(HostWriteHalf);

/// A connection, for its halves. The fields are dropped in this order.
struct Connection {
    watch: Watch,
    socket: std::net::TcpStream,
    slot: Slot,
    peer: SocketAddr,
    input: Cell<Input>,
    /// True once this side was closed for writing.
    shut: Cell<bool>,
    /// True if the end follows what is written next.
    ends: Cell<bool>,
    acknowledging: Cell<Acknowledging>,
}

/// When the host acknowledges what comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Acknowledging {
    /// With the answer, as a listener's connections begin.
    WithAnswer,
    /// The same, and bytes have come.
    Owed,
    /// As the host likes.
    Usual,
}

/// State of a connection's input, as far as it is known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Input {
    /// Bytes may wait.
    Unknown,
    /// The last read took all that waited: the next bytes are reported as a change.
    Drained,
    /// The peer has closed its side, or the connection is gone.
    Ended,
}

impl Connection {
    /// Connects to the peer.
    async fn connect(&self) -> Result<(), Error> {
        // Asked again, the host tells how far the connection is, and why it failed.
        let connect = || match rustix::net::connect(&self.socket, &self.peer) {
            Err(Errno::INPROGRESS | Errno::ALREADY) => Err(io::ErrorKind::WouldBlock.into()),
            Ok(()) | Err(Errno::ISCONN) => Ok(()),
            Err(errno) => Err(errno.into()),
        };
        let connected = self.when_ready(writable, connect).await;
        if connected.is_err() {
            self.input.set(Input::Ended);
        }
        Ok(connected?)
    }

    async fn when_ready<T>(
        &self,
        event: fn(&Readiness) -> &Event,
        attempt: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        let reactor = &self.slot.shared().reactor;
        let ready = self.watch.when_ready(reactor, &self.socket, event, attempt);
        ready.await
    }

    async fn read(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        if buffer.is_empty() {
            return Ok(0);
        }
        self.slot.shared().pace().await;
        if self.input.get() == Input::Drained && !self.watch.has_ended() {
            self.acknowledge();
            let reactor = &self.slot.shared().reactor;
            let readiness = self.watch.begin(reactor, &self.socket)?;
            readiness.readable.wait().await;
        }
        let read = || {
            let result = (&self.socket).read(&mut *buffer);
            if would_block(&result) {
                self.acknowledge();
            }
            result
        };
        let result = self.when_ready(readable, read).await;
        if self.acknowledging.get() == Acknowledging::WithAnswer {
            self.acknowledging.set(Acknowledging::Owed);
        }
        self.input.set(match result {
            Ok(0) | Err(_) => Input::Ended,
            Ok(length) if length < buffer.len() => Input::Drained,
            Ok(_) => Input::Unknown,
        });
        Ok(result?)
    }

    /// Acknowledges what has come, as it gets no answer yet: the peer may hold the rest back
    /// until then (Nagle's algorithm).
    fn acknowledge(&self) {
        if self.acknowledging.get() == Acknowledging::Owed {
            self.acknowledging.set(Acknowledging::Usual);
            // If it fails, the connection has ended, or the host acknowledges a little later.
            let _ = sockopt::set_tcp_quickack(&self.socket, true);
        }
    }

    async fn write(&self, bytes: &[u8]) -> Result<usize, Error> {
        if self.shut.get() {
            return Err(Error::Closed);
        }
        self.acknowledging.set(Acknowledging::Usual);
        self.slot.shared().pace().await;
        let mut flags = SendFlags::NOSIGNAL;
        // The last bytes leave together with the end, which is a segment less.
        flags.set(SendFlags::MORE, self.ends.get());
        let send = || Ok(rustix::net::send(&self.socket, bytes, flags)?);
        let result = self.when_ready(writable, send).await;
        Ok(result?)
    }

    fn shutdown(&self) -> Result<(), Error> {
        if !self.shut.replace(true) {
            rustix::net::shutdown(&self.socket, Shutdown::Write)?;
        }
        Ok(())
    }

    /// Disconnects the socket, which resets the connection. It fails only if there is
    /// none any more.
    fn abort(&self) {
        let _ = connect_unspec(&self.socket);
        self.shut.set(true);
        self.input.set(Input::Ended);
    }

    /// Tells whether bytes wait that nobody has read. To close the socket then would reset the
    /// connection, and the peer might lose what was written to it.
    fn has_unread_input(&self) -> bool {
        self.input.get() != Input::Ended && ioctl_fionread(&self.socket).is_ok_and(|n| n > 0)
    }

    /// Reads to the peer's end.
    async fn drain(&self) {
        let mut buffer = [0; LINGER_BUFFER];
        while self.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
    }
}

/// One of the owners of a connection. The last one closes it, gracefully.
struct Link(Rc<Connection>);

impl Drop for Link {
    fn drop(&mut self) {
        if Rc::strong_count(&self.0) > 1 || !self.0.has_unread_input() {
            return;
        }
        let connection = Rc::clone(&self.0);
        let tasks = self.0.slot.shared().tasks.clone();
        self.0.slot.shared().tasks.spawn(async move {
            if connection.shutdown().is_ok() {
                // Late or not, the connection is closed now.
                let _ = tasks.timeout(LINGER, connection.drain()).await;
            }
        });
    }
}
