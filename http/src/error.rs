use crate::{Response, Status};
use core::fmt;

/// Why a request could not be handled.
///
/// A handler returns it, most often by `?`; the server then answers with
/// [`status`](Self::status), unless the answer has begun already: then it ends the
/// connection, so that the client sees that the answer is incomplete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The body's chunked coding is malformed (RFC 9112, section 7.1).
    BadBody,
    /// The peer closed the connection before the body's end, or it waits for leave to send the
    /// body, and an answer that refuses it was begun.
    Incomplete,
    /// The body is longer than the limit.
    BodyTooLarge,
    /// The peer sent nothing of the body for too long.
    TimedOut,
    /// The handler began a second answer to one request.
    AlreadyStarted,
    /// The handler wrote more than the length it had announced.
    LengthExceeded,
    /// There is no memory for the request now; the client is told to try again.
    NoRoom,
    /// The handler's own decision to answer with this status.
    Status(Status),
}

impl Error {
    /// The status that tells the client about the error.
    pub const fn status(self) -> Status {
        match self {
            Self::BadBody | Self::Incomplete => Status::BAD_REQUEST,
            Self::BodyTooLarge => Status::CONTENT_TOO_LARGE,
            Self::TimedOut => Status::REQUEST_TIMEOUT,
            Self::AlreadyStarted | Self::LengthExceeded => Status::INTERNAL_SERVER_ERROR,
            Self::NoRoom => Status::SERVICE_UNAVAILABLE,
            Self::Status(status) => status,
        }
    }
}

impl Error {
    /// The answer that tells the client about the error.
    pub(crate) fn response(self) -> Response {
        let response = Response::error(self.status());
        match self {
            Self::NoRoom => response.header("Retry-After", "1"),
            _ => response,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadBody => "the body's chunked coding is malformed",
            Self::Incomplete => {
                "the peer closed the connection before the body's end, or the body was refused"
            }
            Self::BodyTooLarge => "the body is longer than the limit; raise `Limits::body`",
            Self::TimedOut => "the peer sent nothing of the body for too long",
            Self::AlreadyStarted => "an answer was begun before; begin one for each request",
            Self::LengthExceeded => "more was written than announced; announce the exact length",
            Self::NoRoom => "there is no memory for the request now; try again later",
            Self::Status(status) => status.reason(),
        })
    }
}

impl core::error::Error for Error {}

impl embedded_io_async::Error for Error {
    fn kind(&self) -> embedded_io_async::ErrorKind {
        use embedded_io_async::ErrorKind;
        match self {
            Self::BadBody => ErrorKind::InvalidData,
            Self::Incomplete => ErrorKind::ConnectionAborted,
            Self::BodyTooLarge | Self::NoRoom => ErrorKind::OutOfMemory,
            Self::TimedOut => ErrorKind::TimedOut,
            Self::AlreadyStarted | Self::LengthExceeded => ErrorKind::InvalidInput,
            Self::Status(_) => ErrorKind::Other,
        }
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}
