use core::fmt;

/// The reason why a connection ended, if it did not end well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The peer does not listen on that port.
    ConnectionRefused,
    /// The peer reset the connection.
    ConnectionReset,
    /// The peer stopped answering.
    TimedOut,
    /// No route or no neighbor leads to the peer.
    Unreachable,
    /// The local address is not one of this host's any more.
    AddressNotAvailable,
    /// This side has given the connection up.
    Closed,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ConnectionRefused => "connection refused: the peer does not listen on that port",
            Self::ConnectionReset => "connection reset by the peer",
            Self::TimedOut => "timed out: the peer does not answer",
            Self::Unreachable => "no route leads to the peer",
            Self::AddressNotAvailable => "the local address is gone",
            Self::Closed => "this side has closed the connection",
        })
    }
}

impl core::error::Error for Error {}
