use crate::syntax::{is_token, is_value, push_decimal};
use crate::{Method, Status, date};
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

/// An answer: a status, header fields, and a body that is at hand.
///
/// For a body that is produced piece by piece see [`Request::start`](crate::Request::start).
/// The server adds `Date`, `Content-Length` or `Transfer-Encoding`, and `Connection`; it
/// leaves the body out where HTTP wants none, as for HEAD and 304.
///
/// ```
/// use fata_http::{Response, Status};
///
/// let fixed = Response::text("Hello, World!");
/// let made = Response::new(Status::CREATED)
///     .header("Location", "/items/7")
///     .body("application/json", String::from(r#"{"id":7}"#));
/// # let _ = (fixed, made);
/// ```
#[derive(Debug)]
pub struct Response {
    pub(crate) status: Status,
    content_type: Option<&'static str>,
    /// Further header fields as they are sent.
    fields: Vec<u8>,
    pub(crate) content: Content,
}

/// The content of an answer's body.
#[derive(Debug)]
pub(crate) enum Content {
    Bytes(Cow<'static, [u8]>),
    /// Was written by a [`Writer`](crate::Writer).
    Written,
}

/// A value that becomes a body without being copied: `&'static str`, `&'static [u8]`,
/// `String` or `Vec<u8>`.
pub trait IntoBody {
    /// The bytes, borrowed from the image or owned.
    fn into_body(self) -> Cow<'static, [u8]>;
}

macro_rules! into_body {
    ($($type:ty: $self:ident => $body:expr;)*) => {
        $(impl IntoBody for $type {
            fn into_body($self) -> Cow<'static, [u8]> {
                $body
            }
        })*
    };
}

into_body! {
    &'static str: self => Cow::Borrowed(self.as_bytes());
    &'static [u8]: self => Cow::Borrowed(self);
    String: self => Cow::Owned(self.into_bytes());
    Vec<u8>: self => Cow::Owned(self);
}

impl<const N: usize> IntoBody for &'static [u8; N] {
    fn into_body(self) -> Cow<'static, [u8]> {
        Cow::Borrowed(self)
    }
}

impl Response {
    /// An answer without a body.
    pub const fn new(status: Status) -> Self {
        Self {
            status,
            content_type: None,
            fields: Vec::new(),
            content: Content::Bytes(Cow::Borrowed(&[])),
        }
    }

    /// 200 with plain text.
    pub fn text(text: impl IntoBody) -> Self {
        Self::new(Status::OK).body("text/plain; charset=utf-8", text)
    }

    /// 200 with an HTML page.
    pub fn html(page: impl IntoBody) -> Self {
        Self::new(Status::OK).body("text/html; charset=utf-8", page)
    }

    /// A short text that says what the status says.
    pub fn error(status: Status) -> Self {
        let mut text = Vec::with_capacity(40);
        push_decimal(&mut text, u64::from(status.code()));
        for part in [" ", status.reason(), "\n"] {
            text.extend_from_slice(part.as_bytes());
        }
        Self::new(status).body("text/plain; charset=utf-8", text)
    }

    /// A redirection (301, 302, 303, 307 or 308) to `location`.
    pub fn redirect(status: Status, location: &str) -> Self {
        Self::error(status).header("Location", location)
    }

    /// The end of an answer that a [`Writer`](crate::Writer) has written.
    pub(crate) fn written(status: Status) -> Self {
        Self {
            content: Content::Written,
            ..Self::new(status)
        }
    }

    /// Sets the body and its type. The type is not sent with an empty one of a status
    /// that has no body.
    pub fn body(mut self, content_type: &'static str, body: impl IntoBody) -> Self {
        self.content_type = Some(content_type);
        self.content = Content::Bytes(body.into_body());
        self
    }

    /// Sets the body and leaves its type as it is.
    pub(crate) fn content(mut self, body: &'static [u8]) -> Self {
        self.content = Content::Bytes(Cow::Borrowed(body));
        self
    }

    /// Changes the status and leaves the rest as it is.
    pub(crate) fn status_only(mut self, status: Status) -> Self {
        self.status = status;
        self
    }

    /// Sets the body's type.
    pub fn content_type(mut self, content_type: &'static str) -> Self {
        self.content_type = Some(content_type);
        self
    }

    /// Adds a header field. One that would break the message is left out and logged: a
    /// name that is not a token, a value with a line end or another control character.
    /// So are the fields that the server sets itself.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        const OWN: [&str; 4] = ["content-length", "transfer-encoding", "connection", "date"];
        let is_own = OWN.iter().any(|own| name.eq_ignore_ascii_case(own));
        if is_own || !is_token(name.as_bytes()) || !is_value(value.as_bytes()) {
            log::error!(target: "http", "left out the header field {name:?}: not allowed here");
            return self;
        }
        for part in [name, ": ", value, "\r\n"] {
            self.fields.extend_from_slice(part.as_bytes());
        }
        self
    }

    /// Adds a header field whose value is a date, in seconds since the Unix epoch.
    pub(crate) fn date(mut self, name: &str, seconds: u64) -> Self {
        self.fields.extend_from_slice(name.as_bytes());
        self.fields.extend_from_slice(b": ");
        date::push_date(&mut self.fields, seconds);
        self.fields.extend_from_slice(b"\r\n");
        self
    }

    /// Adds `Allow`, the methods that the resource knows (RFC 9110, section 10.2.1).
    pub(crate) fn allow(mut self, methods: impl Fn(Method) -> bool) -> Self {
        self.fields.extend_from_slice(b"Allow: ");
        let start = self.fields.len();
        for method in Method::ALL.into_iter().filter(|method| methods(*method)) {
            if self.fields.len() > start {
                self.fields.extend_from_slice(b", ");
            }
            self.fields.extend_from_slice(method.as_str().as_bytes());
        }
        self.fields.extend_from_slice(b"\r\n");
        self
    }

    /// The status.
    pub const fn status(&self) -> Status {
        self.status
    }

    /// Appends the head as it is sent.
    pub(crate) fn push_head(&self, out: &mut Vec<u8>, framing: &Framing<'_>) {
        match self.status.line() {
            Some(line) => out.extend_from_slice(line.as_bytes()),
            None => {
                out.extend_from_slice(b"HTTP/1.1 ");
                push_decimal(out, u64::from(self.status.code()));
                out.push(b' ');
            }
        }
        if let Some(date) = framing.date {
            out.extend_from_slice(date);
        }
        if let Some(content_type) = self.content_type.filter(|_| !self.status.is_bodiless()) {
            out.extend_from_slice(b"\r\nContent-Type: ");
            out.extend_from_slice(content_type.as_bytes());
        }
        match framing.length {
            Length::None => {}
            Length::Known(length) => {
                out.extend_from_slice(b"\r\nContent-Length: ");
                push_decimal(out, length);
            }
            Length::Chunked => out.extend_from_slice(b"\r\nTransfer-Encoding: chunked"),
        }
        match framing.connection {
            Connection::Implied => {}
            Connection::KeepAlive => out.extend_from_slice(b"\r\nConnection: keep-alive"),
            Connection::Close => out.extend_from_slice(b"\r\nConnection: close"),
        }
        if self.fields.is_empty() {
            return out.extend_from_slice(b"\r\n\r\n");
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.fields);
        out.extend_from_slice(b"\r\n");
    }
}

/// The fields that the server adds to an answer's head.
pub(crate) struct Framing<'a> {
    /// The field `Date`, after the end of the line before it.
    pub(crate) date: Option<&'a [u8]>,
    pub(crate) length: Length,
    pub(crate) connection: Connection,
}

/// How the answer's body is delimited, as its head says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Length {
    /// Not at all: no body, or one that ends with the connection.
    None,
    Known(u64),
    Chunked,
}

/// The persistence of the connection, as the answer's head states it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Connection {
    /// It lives on, as HTTP/1.1 implies.
    Implied,
    KeepAlive,
    Close,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(response: &Response, length: Length) -> String {
        let mut out = Vec::new();
        let framing = Framing {
            date: None,
            length,
            connection: Connection::Implied,
        };
        response.push_head(&mut out, &framing);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn no_header_splits_the_answer() {
        let response = Response::new(Status::OK)
            .header("x-good", "a\tb \u{e9}")
            .header("x-bad", "a\r\nSet-Cookie: b")
            .header("x bad", "a")
            .header("x-nul", "\0")
            .header("Content-Length", "5");
        assert_eq!(
            head(&response, Length::Known(0)),
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nx-good: a\tb \u{e9}\r\n\r\n"
        );
    }

    #[test]
    fn allow_lists_methods() {
        let response = Response::new(Status::METHOD_NOT_ALLOWED)
            .allow(|method| method != Method::Post && method < Method::Delete);
        assert!(head(&response, Length::Chunked).contains("\r\nAllow: GET, HEAD, PUT\r\n\r\n"));
    }
}
