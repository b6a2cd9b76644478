use crate::Error;
use core::fmt;

/// Why a name or an address could not be resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResolveError {
    /// The name breaks the limits of RFC 1035, section 2.3.4, or has other characters than
    /// letters, digits, hyphens and underscores.
    InvalidName,
    /// Nobody has named a DNS server.
    NoServers,
    /// The name does not exist (NXDOMAIN).
    NoSuchName,
    /// The name exists, but has no record of the kind that was asked for.
    NoRecord,
    /// No server could answer (SERVFAIL).
    ServerFailure,
    /// No server was willing to answer (REFUSED).
    Refused,
    /// The answers break the protocol, or are beyond the bounds.
    BadAnswer,
    /// No server answered in time.
    TimedOut,
    /// The network failed before a question could be sent.
    Network(Error),
    /// As many questions as may be are being asked: see
    /// [`Limits::questions`](super::Limits::questions).
    LimitReached,
    /// The name does not fit into the buffer that was given for it.
    BufferTooSmall,
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidName => {
                "not a host name: up to 253 letters, digits, hyphens and dots; write other \
                 letters as Punycode (xn--...)"
            }
            Self::NoServers => "no DNS server is known; give one as --dns ADDRESS",
            Self::NoSuchName => "the name does not exist; check its spelling",
            Self::NoRecord => "the name exists, but has no address of that kind",
            Self::ServerFailure => {
                "the DNS servers failed to answer; try again later, or others with --dns ADDRESS"
            }
            Self::Refused => "the DNS servers refuse to answer; give others as --dns ADDRESS",
            Self::BadAnswer => {
                "the DNS servers' answers make no sense; give others as --dns ADDRESS"
            }
            Self::TimedOut => {
                "no DNS server answers; check --dns, and that DNS passes the firewall"
            }
            Self::Network(error) => return write!(f, "no DNS server can be reached: {error}"),
            Self::LimitReached => "too many names are being looked up; try again later",
            Self::BufferTooSmall => "the buffer is too small for the name; give one of 255 bytes",
        })
    }
}

impl core::error::Error for ResolveError {}

impl From<Error> for ResolveError {
    fn from(error: Error) -> Self {
        Self::Network(error)
    }
}
