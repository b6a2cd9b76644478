use crate::Error;
use rustix::io::Errno;
use std::io;

impl From<Errno> for Error {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::ADDRINUSE => Self::AddressInUse,
            Errno::ADDRNOTAVAIL => Self::AddressNotAvailable,
            Errno::CONNREFUSED => Self::ConnectionRefused,
            Errno::CONNRESET | Errno::CONNABORTED | Errno::PIPE => Self::ConnectionReset,
            Errno::TIMEDOUT => Self::TimedOut,
            Errno::NOTCONN => Self::Closed,
            Errno::HOSTUNREACH
            | Errno::NETUNREACH
            | Errno::HOSTDOWN
            | Errno::NETDOWN
            | Errno::NONET => Self::Unreachable,
            Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM | Errno::NOSPC => {
                Self::LimitReached
            }
            Errno::MSGSIZE => Self::TooLong,
            Errno::AFNOSUPPORT | Errno::OPNOTSUPP | Errno::PROTONOSUPPORT => Self::Unsupported,
            Errno::ACCESS | Errno::PERM => Self::NotPermitted,
            _ => Self::Other,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Errno::from_io_error(&error).map_or(Self::Other, Self::from)
    }
}
