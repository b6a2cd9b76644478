//! TCP connections of the host.

use super::ahead::Ahead;
use super::limit::{Shared, Slot};
use super::socket::{UNKNOWN, canonical, open, when_ready};
use crate::{Error, TcpStream};
use alloc::rc::Rc;
use core::cell::Cell;
use core::net::SocketAddr;
use core::time::Duration;
use embedded_io_async::{BufRead, ErrorType, Read, Write};
use fata_task::Registration;
use rustix::io::{Errno, ioctl_fionread};
use rustix::net::{Shutdown, SocketType, connect_unspec, sockopt};
use std::io::{self, Read as _, Write as _};
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
    pub(super) fn new(slot: Slot, socket: OwnedFd, peer: SocketAddr) -> io::Result<Self> {
        let connection = Connection {
            registration: Registration::new(&slot.shared().reactor, &socket)?,
            socket: socket.into(),
            slot,
            peer: canonical(peer),
            input: Cell::new(Input::Unknown),
            shut: Cell::new(false),
        };
        Ok(Self {
            link: Link(Rc::new(connection)),
            ahead: Ahead::default(),
        })
    }

    pub(super) async fn connect(shared: &Rc<Shared>, remote: SocketAddr) -> Result<Self, Error> {
        if !shared.has_room() {
            return Err(Error::LimitReached);
        }
        let slot = shared.slot();
        let socket = open(&remote, SocketType::STREAM)?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        match rustix::net::connect(&socket, &remote) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(errno) => return Err(errno.into()),
        }
        let stream = Self::new(slot, socket, remote)?;
        stream.link.0.connected().await?;
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
    registration: Registration,
    socket: std::net::TcpStream,
    slot: Slot,
    peer: SocketAddr,
    input: Cell<Input>,
    /// Whether this side was closed for writing.
    shut: Cell<bool>,
}

/// What is known of a connection's input.
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
    /// Waits for a connection in the making.
    async fn connected(&self) -> Result<(), Error> {
        loop {
            self.registration.writable.wait().await;
            if let Some(error) = self.socket.take_error()? {
                self.input.set(Input::Ended);
                return Err(error.into());
            }
            if self.socket.peer_addr().is_ok() {
                return Ok(());
            }
        }
    }

    async fn read(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        if buffer.is_empty() {
            return Ok(0);
        }
        self.slot.shared().pace().await;
        if self.input.get() == Input::Drained && !self.registration.has_ended() {
            self.registration.readable.wait().await;
        }
        let result = when_ready(&self.registration.readable, || {
            (&self.socket).read(&mut *buffer)
        })
        .await;
        self.input.set(match result {
            Ok(0) | Err(_) => Input::Ended,
            Ok(length) if length < buffer.len() => Input::Drained,
            Ok(_) => Input::Unknown,
        });
        Ok(result?)
    }

    async fn write(&self, bytes: &[u8]) -> Result<usize, Error> {
        if self.shut.get() {
            return Err(Error::Closed);
        }
        self.slot.shared().pace().await;
        let result = when_ready(&self.registration.writable, || (&self.socket).write(bytes)).await;
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

    /// Whether bytes wait that nobody has read. To close the socket then would reset the
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
