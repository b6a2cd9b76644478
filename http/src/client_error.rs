use crate::Error;
use core::fmt;
use embedded_io_async::ErrorKind;

/// Why a [`Client`](crate::Client) failed. Its connection is then of no further use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientError<E> {
    /// The stream failed.
    Stream(E),
    /// The server closed the connection too early.
    Closed,
    /// The server's answer is malformed or beyond the limits.
    BadAnswer,
    /// The answer's body is malformed or beyond the limits.
    Body(Error),
    /// The request cannot be sent: a target, a field, or a body's length is not valid.
    Invalid,
    /// The connection ended with the last answer, or the server has sent something behind it.
    NotReusable,
}

impl<E: fmt::Display> fmt::Display for ClientError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stream(error) => return error.fmt(f),
            Self::Body(error) => return error.fmt(f),
            Self::Closed => "the server closed the connection before the answer's end",
            Self::BadAnswer => "the server's answer is malformed or beyond the limits",
            Self::Invalid => "the request's target, fields or body length are not valid",
            Self::NotReusable => "the connection ended with the last answer; open another one",
        })
    }
}

impl<E: core::error::Error> core::error::Error for ClientError<E> {}

impl<E: embedded_io_async::Error> embedded_io_async::Error for ClientError<E> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Stream(error) => error.kind(),
            Self::Body(error) => error.kind(),
            Self::Closed => ErrorKind::ConnectionAborted,
            Self::BadAnswer => ErrorKind::InvalidData,
            Self::Invalid => ErrorKind::InvalidInput,
            Self::NotReusable => ErrorKind::NotConnected,
        }
    }
}
