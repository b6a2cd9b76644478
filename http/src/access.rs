use crate::{Method, Status};
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

/// One line of an access log: a request and how it was answered.
///
/// Its `Display` form is such a line, without the time, which the `log` sink adds:
/// `198.51.100.1 GET /about 200 1024 3 ms`. It contains no control characters, whatever
/// the client has sent.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Access<'a> {
    /// The client's address, if the stream has one.
    pub peer: Option<SocketAddr>,
    /// The method; `None` if the request was refused because its head made no sense.
    pub method: Option<Method>,
    /// The path as the client sent it, without the query; empty if it made no sense.
    pub path: &'a str,
    /// The answer's status.
    pub status: Status,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// From the head's arrival until the answer was handed to the stream.
    pub duration: Duration,
}

impl fmt::Display for Access<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.peer {
            Some(peer) => write!(f, "{}", peer.ip())?,
            None => f.write_str("-")?,
        }
        let method = self.method.map_or("-", Method::as_str);
        let path = if self.path.is_empty() { "-" } else { self.path };
        let (status, bytes) = (self.status.code(), self.bytes);
        let milliseconds = self.duration.as_millis() as u64;
        write!(f, " {method} {path} {status} {bytes} {milliseconds} ms")
    }
}
