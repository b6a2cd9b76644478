use core::fmt;
use embedded_io_async::ErrorKind;

/// Why an operation of a network stack failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Another socket has the port.
    AddressInUse,
    /// The local address is not one of this host's.
    AddressNotAvailable,
    /// The peer does not listen on that port.
    ConnectionRefused,
    /// The peer ended the connection without closing it properly.
    ConnectionReset,
    /// The peer stopped answering, or the connection was aborted for want of progress.
    TimedOut,
    /// The stream was closed for writing by this side.
    Closed,
    /// No route or no neighbour leads to the address.
    Unreachable,
    /// A configured bound is reached: connections, sockets or memory.
    LimitReached,
    /// The datagram is larger than the stack can send.
    TooLong,
    /// Something that this stack does not support.
    Unsupported,
    /// The interface has no address of that family: no DHCP server answered or no router
    /// announced one, and none is given.
    NotConfigured,
    /// The host does not let this process do that.
    NotPermitted,
    /// Any other failure of the host or the device.
    Other,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AddressInUse => "the port is in use by another socket; choose another one",
            Self::AddressNotAvailable => "the local address is not one of this host's",
            Self::ConnectionRefused => "connection refused: the peer does not listen on that port",
            Self::ConnectionReset => "connection reset by the peer",
            Self::TimedOut => "timed out: the peer does not answer",
            Self::Closed => "the stream was closed",
            Self::Unreachable => "no route leads to that address",
            Self::LimitReached => "too many connections or too little memory; try again later",
            Self::TooLong => "the datagram is too long",
            Self::Unsupported => "not supported by this network stack",
            Self::NotConfigured => {
                "the network has no such address; give --ipv4 or let a DHCP server answer, \
                 or give --ipv6 or let a router announce its network"
            }
            Self::NotPermitted => {
                "the host does not permit it; ports below 1024 may need privileges, others do not"
            }
            Self::Other => "the network device or the host failed",
        })
    }
}

impl core::error::Error for Error {}

impl embedded_io_async::Error for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::AddressInUse => ErrorKind::AddrInUse,
            Self::AddressNotAvailable => ErrorKind::AddrNotAvailable,
            Self::ConnectionRefused => ErrorKind::ConnectionRefused,
            Self::ConnectionReset => ErrorKind::ConnectionReset,
            Self::TimedOut => ErrorKind::TimedOut,
            Self::Closed => ErrorKind::BrokenPipe,
            Self::Unsupported => ErrorKind::Unsupported,
            Self::LimitReached => ErrorKind::OutOfMemory,
            Self::NotPermitted => ErrorKind::PermissionDenied,
            Self::NotConfigured => ErrorKind::NotConnected,
            Self::TooLong => ErrorKind::InvalidInput,
            Self::Unreachable | Self::Other => ErrorKind::Other,
        }
    }
}
