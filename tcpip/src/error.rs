//! Errors of TCP as those of a network stack.

use fata_net::Error;

/// The error of the stack that tells why a connection ended.
pub(crate) fn of_connection(end: fata_tcp::Error) -> Error {
    use fata_tcp::Error as End;
    match end {
        End::ConnectionRefused => Error::ConnectionRefused,
        End::ConnectionReset => Error::ConnectionReset,
        End::TimedOut => Error::TimedOut,
        End::Unreachable => Error::Unreachable,
        End::AddressNotAvailable => Error::AddressNotAvailable,
        End::Closed => Error::Closed,
    }
}
