//! Either of two network stacks, chosen when the process starts.

use core::net::SocketAddr;
use embedded_io_async::{BufRead, ErrorType, Read, Write};
use fata_memory::Budget;
use fata_net::host::HostStack;
use fata_net::{Error, Stack, TcpListener, TcpStream, UdpSocket};
use fata_tcpip::{Statistics, TcpIp};

/// One of two network stacks, or of two things of the same kind that they make.
#[derive(Clone)]
pub enum Either<H, D> {
    /// Of the host's own stack.
    Host(H),
    /// Of a stack over a device.
    Device(D),
}

use Either::{Device, Host};

impl Either<HostStack, TcpIp> {
    /// The stack's holdings and counts; of the host's own stack only how many
    /// connections this process has open.
    pub fn statistics(&self) -> Statistics {
        match self {
            Device(stack) => stack.statistics(),
            Host(stack) => Statistics {
                connections: stack.connections(),
                open: stack.connections(),
                ..Statistics::default()
            },
        }
    }
}

/// Does the same with either one.
macro_rules! delegate {
    ($either:expr, $one:ident => $call:expr) => {
        match $either {
            Host($one) => $call,
            Device($one) => $call,
        }
    };
}

impl<H: Stack, D: Stack> Stack for Either<H, D> {
    type Listener = Either<H::Listener, D::Listener>;
    type Stream = Either<H::Stream, D::Stream>;
    type Socket = Either<H::Socket, D::Socket>;

    async fn listen(&self, local: SocketAddr) -> Result<Self::Listener, Error> {
        Ok(match self {
            Host(stack) => Host(stack.listen(local).await?),
            Device(stack) => Device(stack.listen(local).await?),
        })
    }

    async fn connect(&self, remote: SocketAddr) -> Result<Self::Stream, Error> {
        Ok(match self {
            Host(stack) => Host(stack.connect(remote).await?),
            Device(stack) => Device(stack.connect(remote).await?),
        })
    }

    async fn bind(&self, local: SocketAddr) -> Result<Self::Socket, Error> {
        Ok(match self {
            Host(stack) => Host(stack.bind(local).await?),
            Device(stack) => Device(stack.bind(local).await?),
        })
    }
}

impl<H: Stack, D: Stack> embedded_nal_async::TcpConnect for Either<H, D> {
    type Error = Error;
    type Connection<'a> = Either<H::Stream, D::Stream>;

    async fn connect(&self, remote: SocketAddr) -> Result<Self::Connection<'_>, Error> {
        Stack::connect(self, remote).await
    }
}

impl<H: TcpListener, D: TcpListener> TcpListener for Either<H, D> {
    type Stream = Either<H::Stream, D::Stream>;

    async fn accept(&self) -> Result<Self::Stream, Error> {
        Ok(match self {
            Host(listener) => Host(listener.accept().await?),
            Device(listener) => Device(listener.accept().await?),
        })
    }

    fn local_addr(&self) -> SocketAddr {
        delegate!(self, listener => listener.local_addr())
    }

    fn peers_send_first(&self) {
        delegate!(self, listener => listener.peers_send_first());
    }

    fn has_room(&self) -> bool {
        delegate!(self, listener => listener.has_room())
    }

    fn memory(&self) -> Budget {
        delegate!(self, listener => listener.memory())
    }
}

impl<H: TcpStream, D: TcpStream> TcpStream for Either<H, D> {
    type ReadHalf = Either<H::ReadHalf, D::ReadHalf>;
    type WriteHalf = Either<H::WriteHalf, D::WriteHalf>;

    fn local_addr(&self) -> SocketAddr {
        delegate!(self, stream => stream.local_addr())
    }

    fn peer_addr(&self) -> SocketAddr {
        delegate!(self, stream => stream.peer_addr())
    }

    fn announce_end(&mut self) {
        delegate!(self, stream => stream.announce_end());
    }

    async fn shutdown(&mut self) -> Result<(), Error> {
        delegate!(self, stream => stream.shutdown().await)
    }

    fn abort(&mut self) {
        delegate!(self, stream => stream.abort());
    }

    fn split(self) -> (Self::ReadHalf, Self::WriteHalf) {
        match self {
            Host(stream) => {
                let (reader, writer) = stream.split();
                (Host(reader), Host(writer))
            }
            Device(stream) => {
                let (reader, writer) = stream.split();
                (Device(reader), Device(writer))
            }
        }
    }
}

impl<H, D> ErrorType for Either<H, D> {
    type Error = Error;
}

impl<H: Read<Error = Error>, D: Read<Error = Error>> Read for Either<H, D> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        delegate!(self, stream => stream.read(buffer).await)
    }
}

impl<H: BufRead + Read<Error = Error>, D: BufRead + Read<Error = Error>> BufRead for Either<H, D> {
    async fn fill_buf(&mut self) -> Result<&[u8], Error> {
        delegate!(self, stream => stream.fill_buf().await)
    }

    fn consume(&mut self, count: usize) {
        delegate!(self, stream => stream.consume(count));
    }
}

impl<H: Write<Error = Error>, D: Write<Error = Error>> Write for Either<H, D> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        delegate!(self, stream => stream.write(bytes).await)
    }

    async fn flush(&mut self) -> Result<(), Error> {
        delegate!(self, stream => stream.flush().await)
    }
}

impl<H: UdpSocket, D: UdpSocket> UdpSocket for Either<H, D> {
    fn local_addr(&self) -> SocketAddr {
        delegate!(self, socket => socket.local_addr())
    }

    async fn send_to(&self, payload: &[u8], remote: SocketAddr) -> Result<(), Error> {
        delegate!(self, socket => socket.send_to(payload, remote).await)
    }

    async fn receive_from(&self, buffer: &mut [u8]) -> Result<(usize, SocketAddr), Error> {
        delegate!(self, socket => socket.receive_from(buffer).await)
    }
}
