use crate::exchange::Exchange;
use crate::head::{Field, RequestHead};
use crate::span::Span;
use crate::syntax::percent_decode;
use crate::{Error, Method, Response, Writer, pattern, read_to_vec};
use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;
use core::future::poll_fn;
use core::net::SocketAddr;
use embedded_io_async::{ErrorType, Read};

/// A request. Its head lies in the connection's buffer; its body is read by the traits
/// of `embedded-io-async`, which this type implements, as it comes in.
///
/// Nothing of the body is read from the connection before the handler asks for it; a
/// client that expects `100 Continue` gets it then. The rest that the handler leaves
/// unread is dropped.
pub struct Request<'c> {
    pub(crate) head: &'c RequestHead,
    /// The head as it was received.
    pub(crate) bytes: &'c [u8],
    pub(crate) fields: &'c [Field],
    pub(crate) exchange: &'c Exchange<'c>,
    pub(crate) peer: Option<SocketAddr>,
    /// The pattern of the route that was taken.
    pub(crate) pattern: &'static str,
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Request");
        debug
            .field("method", &self.method())
            .field("path", &self.path());
        debug.finish_non_exhaustive()
    }
}

impl<'c> Request<'c> {
    /// The method.
    pub fn method(&self) -> Method {
        self.head.method
    }

    /// The path as it was received, percent-coded, without the query. Starts with `/`;
    /// its percent-coding was checked, and decodes to UTF-8 without NUL.
    pub fn path(&self) -> &'c str {
        self.head.target.path.map_or("/", |span| self.text(span))
    }

    /// The part behind the `?`, as it was received.
    pub fn query(&self) -> Option<&'c str> {
        self.head.target.query.map(|span| self.text(span))
    }

    /// The first value of a name in a query such as `a=1&b=2`, decoded: `%20` and `+`
    /// are spaces. Empty for a name without a value. `None` if the name does not occur,
    /// or its value does not decode to UTF-8.
    pub fn query_value(&self, name: &str) -> Option<Cow<'c, str>> {
        let pairs = self.query()?.split('&');
        let value = pairs
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .find(|(key, _)| decode_form(key).is_some_and(|key| key == name))?
            .1;
        decode_form(value)
    }

    /// A parameter of the route's pattern, percent-decoded: with the pattern `/users/:id`
    /// the parameter `id`. `None` if the pattern has no such parameter.
    pub fn param(&self, name: &str) -> Option<Cow<'c, str>> {
        percent_decode(pattern::param(self.pattern, self.path(), name)?)
    }

    /// The value of the first header field of that name, in any case. `None` if there is
    /// none, or if it is not UTF-8.
    pub fn header(&self, name: &str) -> Option<&'c str> {
        self.header_values(name).next()
    }

    /// The values of all header fields of that name that are UTF-8.
    pub fn header_values(&self, name: &str) -> impl Iterator<Item = &'c str> {
        let bytes = self.bytes;
        self.fields
            .iter()
            .filter(move |field| field.name.of(bytes).eq_ignore_ascii_case(name.as_bytes()))
            .filter_map(move |field| core::str::from_utf8(field.value.of(bytes)).ok())
    }

    /// All header fields, names as they were received, in their order.
    pub fn headers(&self) -> impl Iterator<Item = (&'c str, &'c [u8])> {
        let bytes = self.bytes;
        self.fields.iter().map(move |field| {
            let name = core::str::from_utf8(field.name.of(bytes)).unwrap_or_default();
            (name, field.value.of(bytes))
        })
    }

    /// The host, and perhaps the port, that the client wants to talk to. Empty if it did
    /// not say, as HTTP/1.0 allows.
    pub fn host(&self) -> &'c str {
        match self.head.target.authority {
            Some(authority) => self.text(authority),
            None => self.header("host").unwrap_or_default(),
        }
    }

    /// The client's address, if the stream has one.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// How many bytes of the body are still to be read, if the client has said so: not
    /// with the chunked coding.
    pub fn remaining(&self) -> Option<u64> {
        self.exchange.remaining()
    }

    /// Waits for memory that the handler is about to hold until the answer has left, beside
    /// [`Limits::request_memory`](crate::Limits::request_memory). It takes the place of what was
    /// reserved before. Without it, many requests at once can exhaust a machine's memory.
    ///
    /// # Errors
    /// [`Error::NoRoom`] if there is none for
    /// [`Limits::room_timeout`](crate::Limits::room_timeout), [`Error::BodyTooLarge`] if there can
    /// never be so much.
    pub async fn reserve(&self, bytes: usize) -> Result<(), Error> {
        self.exchange.reserve(bytes).await
    }

    /// Reads the rest of the body. Memory for it is [reserved](Self::reserve) first.
    ///
    /// # Errors
    /// [`Error::BodyTooLarge`] if it is longer than `limit` bytes or than memory can hold,
    /// [`Error::NoRoom`], and all errors of reading it.
    pub async fn read_to_vec(&mut self, limit: usize) -> Result<Vec<u8>, Error> {
        let announced = self.remaining().unwrap_or(0);
        if announced > limit as u64 {
            return Err(Error::BodyTooLarge);
        }
        let reserve = async |request: &Self, bytes| request.reserve(bytes).await;
        let body = read_to_vec(self, announced as usize, limit, reserve, |error| error);
        let body = body.await?;
        body.ok_or(Error::BodyTooLarge)
    }

    /// Begins an answer whose body the handler writes piece by piece, in constant
    /// memory. `response` gives the head; its own body is ignored. `length` is the body's
    /// length if it is known; otherwise the body is sent in chunks, or, to a client of
    /// HTTP/1.0, until the connection closes.
    ///
    /// The head leaves with the first bytes of the body. The request can still be read
    /// in the meantime.
    ///
    /// # Errors
    /// [`Error::AlreadyStarted`] if an answer was begun before.
    pub fn start(&self, response: Response, length: Option<u64>) -> Result<Writer<'c>, Error> {
        self.exchange.start(&response, length)?;
        Ok(Writer {
            exchange: self.exchange,
            status: response.status,
        })
    }

    /// Waits until the client has gone away: until it has closed the connection, or its side of
    /// it. For handlers that may wait for long for something else, beside that; others learn it
    /// from the body that breaks off, or are dropped where they write.
    ///
    /// It is noticed only when the body was read to its end. A client that sends further
    /// requests meanwhile gets them answered later; if they are longer than
    /// [`Limits::body_buffer`](crate::Limits::body_buffer), its end is not noticed.
    ///
    /// ```
    /// use fata_http::{Error, Request, Response, Status};
    /// # async fn news() -> String { String::new() }
    ///
    /// async fn wait_for_news(request: &mut Request<'_>) -> Result<Response, Error> {
    ///     match fata_task::select(news(), request.closed()).await {
    ///         fata_task::Either::First(news) => Ok(Response::text(news)),
    ///         fata_task::Either::Second(()) => Err(Status::REQUEST_TIMEOUT.into()),
    ///     }
    /// }
    /// ```
    pub async fn closed(&self) {
        poll_fn(|context| self.exchange.poll_closed(context)).await;
    }

    fn text(&self, span: Span) -> &'c str {
        core::str::from_utf8(span.of(self.bytes)).unwrap_or_default()
    }
}

impl ErrorType for Request<'_> {
    type Error = Error;
}

impl Read for Request<'_> {
    /// Reads bytes of the body. Zero means that it is over.
    ///
    /// # Errors
    /// [`Error::BadBody`], [`Error::Incomplete`], [`Error::BodyTooLarge`] and
    /// [`Error::TimedOut`], each again and again.
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let _reading = Reading(self.exchange);
        poll_fn(|context| self.exchange.poll_read(context, buffer)).await
    }
}

/// Tells the driver when a read ends, also one that is given up.
struct Reading<'c>(&'c Exchange<'c>);

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.stop_reading();
    }
}

fn decode_form(text: &str) -> Option<Cow<'_, str>> {
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        return percent_decode(&spaced).map(|decoded| Cow::Owned(decoded.into_owned()));
    }
    percent_decode(text)
}
