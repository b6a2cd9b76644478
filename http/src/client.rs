use crate::body::Decoder;
use crate::client_error::ClientError;
use crate::head::{self, Extent, Field, Framing, Scanner};
use crate::syntax::{is_token, is_value, push_decimal};
use crate::{Error, Limits, Method, Status, chunked};
use alloc::vec::Vec;
use core::fmt;
use embedded_io_async::{ErrorType, Read, Write};

/// Least room for a read.
const STEP: usize = 2048;
/// Most bytes of an unread body that are read and dropped before the next request.
const MAX_DRAIN: u64 = 64 << 10;
/// Most interim answers (1xx) before the final one.
const MAX_INTERIM: usize = 8;

/// An HTTP/1.1 client on one connection, which it keeps for any number of requests.
///
/// It works over any stream that is connected already. It has no time-outs of its own:
/// wrap calls into [`Handle::timeout`](fata_task::Handle::timeout). After an error the
/// connection is of no further use.
///
/// ```
/// # async fn example<S: fata_net::TcpStream>(stream: S) -> Result<(), Box<dyn std::error::Error>> {
/// use fata_http::{Client, Method};
///
/// let mut client = Client::new(stream, "example.org");
/// let mut answer = client.get("/index.html").await?;
/// assert!(answer.status().is_success());
/// let page = answer.read_to_vec(1 << 20).await?;
///
/// let fields = [("content-type", "application/json")];
/// let answer = client.send(Method::Post, "/items", &fields, b"{}").await?;
/// println!("{} {:?}", answer.status(), answer.header("location"));
/// # Ok(())
/// # }
/// ```
pub struct Client<S> {
    stream: S,
    host: alloc::string::String,
    limits: Limits,
    /// Input that was read and not used: bytes `start..end`.
    input: Vec<u8>,
    start: usize,
    end: usize,
    output: Vec<u8>,
    fields: Vec<Field>,
    body: Decoder,
    /// Why the body cannot be read on.
    failed: Option<Error>,
    reusable: bool,
}

impl<S> fmt::Debug for Client<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// The head of a final answer.
struct Head {
    status: Status,
    extent: Extent,
}

impl<S: Read + Write> Client<S> {
    /// A client over a connected stream. `host` is the value of the Host field: the
    /// server's name, and the port unless it is the usual one.
    pub fn new(stream: S, host: &str) -> Self {
        Self {
            stream,
            host: host.into(),
            limits: Limits::default(),
            input: Vec::new(),
            start: 0,
            end: 0,
            output: Vec::new(),
            fields: Vec::new(),
            body: Decoder::DONE,
            failed: None,
            reusable: true,
        }
    }

    /// Sets the limits. For a client these count: `request_line` for the status line,
    /// `headers`, `header_count`, and `body` for an answer without a length.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Gives the stream back, for instance to close it.
    pub fn into_inner(self) -> S {
        self.stream
    }

    /// True if the server keeps the connection for another request. Known when the
    /// answer's head has arrived.
    pub fn is_reusable(&self) -> bool {
        self.reusable
    }

    /// Sends a GET request and waits for the answer's head.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn get(&mut self, target: &str) -> Result<Answer<'_, S>, ClientError<S::Error>> {
        self.send(Method::Get, target, &[], &[]).await
    }

    /// Sends a request with a body that is at hand, and waits for the answer's head.
    /// `target` is a path, perhaps with a query. `fields` are header fields other than those
    /// that the client sets itself: `Host`, `Connection`, `Content-Length` and
    /// `Transfer-Encoding`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn send(
        &mut self,
        method: Method,
        target: &str,
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer<'_, S>, ClientError<S::Error>> {
        let mut upload = self
            .start(method, target, fields, Some(body.len() as u64))
            .await?;
        upload.write_all(body).await?;
        upload.finish().await
    }

    /// Sends a request's head; the body is then written piece by piece. `length` is the
    /// body's length if it is known, otherwise it is sent in chunks. `fields` as for
    /// [`send`](Self::send).
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn start(
        &mut self,
        method: Method,
        target: &str,
        fields: &[(&str, &str)],
        length: Option<u64>,
    ) -> Result<Upload<'_, S>, ClientError<S::Error>> {
        self.drain().await?;
        let is_valid = target.bytes().all(|byte| byte.is_ascii_graphic())
            && !target.is_empty()
            && is_value(self.host.as_bytes())
            && fields
                .iter()
                .all(|(name, value)| is_free(name) && is_value(value.as_bytes()));
        if !is_valid {
            return Err(ClientError::Invalid);
        }
        // Until the answer's head says so, as a request that is given up breaks the order.
        self.reusable = false;
        let out = &mut self.output;
        out.clear();
        for part in [
            method.as_str(),
            " ",
            target,
            " HTTP/1.1\r\nHost: ",
            &self.host,
        ] {
            out.extend_from_slice(part.as_bytes());
        }
        match length {
            Some(0) if !method.needs_length() => {}
            Some(length) => {
                out.extend_from_slice(b"\r\nContent-Length: ");
                push_decimal(out, length);
            }
            None => out.extend_from_slice(b"\r\nTransfer-Encoding: chunked"),
        }
        for (name, value) in fields {
            for part in ["\r\n", name, ": ", value] {
                out.extend_from_slice(part.as_bytes());
            }
        }
        out.extend_from_slice(b"\r\n\r\n");
        Ok(Upload {
            client: self,
            method,
            left: length,
        })
    }

    /// Reads what is left of the last answer's body. Nothing may follow it: it would be
    /// taken for the answer to a request that was not sent yet (RFC 9112, section 9.2).
    async fn drain(&mut self) -> Result<(), ClientError<S::Error>> {
        let mut left = MAX_DRAIN;
        let mut scratch = [0; 256];
        while self.reusable && !self.body.is_done() {
            let length = self.read_body(&mut scratch).await? as u64;
            left = left.checked_sub(length).ok_or(ClientError::NotReusable)?;
        }
        self.reusable &= self.start == self.end;
        if self.reusable {
            Ok(())
        } else {
            Err(ClientError::NotReusable)
        }
    }

    async fn flush(&mut self) -> Result<(), ClientError<S::Error>> {
        let mut rest = &self.output[..];
        while !rest.is_empty() {
            match self.stream.write(rest).await.map_err(ClientError::Stream)? {
                0 => return Err(ClientError::Closed),
                length => rest = rest.get(length..).unwrap_or_default(),
            }
        }
        self.output.clear();
        self.stream.flush().await.map_err(ClientError::Stream)
    }

    /// Reads more input behind what there is. Zero at the end of the stream.
    async fn fill(&mut self) -> Result<usize, ClientError<S::Error>> {
        if self.start > 0 {
            self.input.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.input.len() - self.end < STEP {
            self.input.resize(self.end + STEP, 0);
        }
        let read = self.stream.read(&mut self.input[self.end..]).await;
        let length = read.map_err(ClientError::Stream)?;
        self.end += length;
        Ok(length)
    }

    async fn read_head(&mut self, method: Method) -> Result<Head, ClientError<S::Error>> {
        for _ in 0..MAX_INTERIM {
            let extent = self.scan().await?;
            let (minor, status) = parse_status_line(
                &self.input[self.start + extent.start..self.start + extent.fields],
            )
            .ok_or(ClientError::BadAnswer)?;
            let head = &self.input[self.start + extent.start..self.start + extent.end];
            let facts = head::parse_fields(head, extent.fields - extent.start, &mut self.fields)
                .map_err(|_| ClientError::BadAnswer)?;
            if status.code() < 200 {
                if status.code() == 101 {
                    return Err(ClientError::BadAnswer);
                }
                self.start += extent.end;
                continue;
            }
            let framing = facts.framing().map_err(|_| ClientError::BadAnswer)?;
            if framing == Some(Framing::Chunked) && minor == 0 {
                return Err(ClientError::BadAnswer);
            }
            self.reusable = !facts.close && (minor > 0 || facts.keep_alive);
            self.body = if method == Method::Head || status.is_bodiless() {
                Decoder::DONE
            } else if let Some(framing) = framing {
                Decoder::new(framing, self.limits.body)
            } else {
                self.reusable = false;
                Decoder::UntilClose(self.limits.body)
            };
            return Ok(Head { status, extent });
        }
        Err(ClientError::BadAnswer)
    }

    async fn scan(&mut self) -> Result<Extent, ClientError<S::Error>> {
        let mut scanner = Scanner::default();
        loop {
            let scanned = scanner.advance(&self.input[self.start..self.end], &self.limits);
            match scanned.map_err(|_| ClientError::BadAnswer)? {
                Some(extent) => return Ok(extent),
                None if self.fill().await? == 0 => return Err(ClientError::Closed),
                None => {}
            }
        }
    }

    async fn read_body(&mut self, buffer: &mut [u8]) -> Result<usize, ClientError<S::Error>> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(error) = self.failed {
                return Err(ClientError::Body(error));
            }
            if self.body.is_done() {
                return Ok(0);
            }
            let input = &self.input[self.start..self.end];
            let taken = self.body.take(input, buffer.len());
            let (skip, length) = taken.map_err(|error| {
                // Nobody knows where the next answer would begin.
                self.reusable = false;
                self.failed = Some(error);
                ClientError::Body(error)
            })?;
            buffer[..length].copy_from_slice(&input[skip..skip + length]);
            self.start += skip + length;
            if length > 0 {
                return Ok(length);
            }
            if !self.body.is_done() && self.fill().await? == 0 {
                if !matches!(self.body, Decoder::UntilClose(_)) {
                    self.reusable = false;
                    return Err(ClientError::Closed);
                }
                self.body = Decoder::DONE;
            }
        }
    }
}

/// True if the caller may give a field of that name: it is a token, and not the client's own.
fn is_free(name: &str) -> bool {
    const OWN: [&str; 4] = ["content-length", "transfer-encoding", "connection", "host"];
    is_token(name.as_bytes()) && !OWN.iter().any(|own| name.eq_ignore_ascii_case(own))
}

/// Parses a status line with its line end (RFC 9112, section 4).
fn parse_status_line(line: &[u8]) -> Option<(u8, Status)> {
    let (version, rest) = line.split_at_checked(b"HTTP/1.1".len())?;
    let (1, minor) = head::parse_version(version)? else {
        return None;
    };
    let [
        b' ',
        a @ b'1'..=b'9',
        b @ b'0'..=b'9',
        c @ b'0'..=b'9',
        rest @ ..,
    ] = rest
    else {
        return None;
    };
    let reason = rest.strip_suffix(b"\r\n")?;
    if !(reason.is_empty() || reason.starts_with(b" ")) || !is_value(reason) {
        return None;
    }
    let code = u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0');
    Some((minor, Status::received(code)))
}

/// The body of a request that is being sent.
#[must_use = "the request is not complete before `finish`"]
pub struct Upload<'c, S> {
    client: &'c mut Client<S>,
    method: Method,
    /// The rest of the announced length; `None` in chunks.
    left: Option<u64>,
}

impl<S> fmt::Debug for Upload<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").finish_non_exhaustive()
    }
}

impl<'c, S: Read + Write> Upload<'c, S> {
    /// Ends the body and waits for the answer's head.
    ///
    /// # Errors
    /// See [`ClientError`]; [`ClientError::Invalid`] if less was written than announced.
    pub async fn finish(self) -> Result<Answer<'c, S>, ClientError<S::Error>> {
        match self.left {
            Some(0) => {}
            Some(_) => return Err(ClientError::Invalid),
            None => self.client.output.extend_from_slice(b"0\r\n\r\n"),
        }
        self.client.flush().await?;
        let head = self.client.read_head(self.method).await?;
        // The head stays at the buffer's start while the body is read behind it.
        let start = self.client.start + head.extent.start;
        let end = self.client.start + head.extent.end;
        let bytes = self.client.input[start..end].to_vec();
        self.client.start = end;
        Ok(Answer {
            client: self.client,
            status: head.status,
            head: bytes,
        })
    }
}

impl<S: Read + Write> ErrorType for Upload<'_, S> {
    type Error = ClientError<S::Error>;
}

impl<S: Read + Write> Write for Upload<'_, S> {
    /// Takes some of the bytes. Small pieces gather in a buffer.
    ///
    /// # Errors
    /// See [`ClientError`]; [`ClientError::Invalid`] for more than was announced.
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let length = bytes.len().min(STEP);
        let piece = match &mut self.left {
            Some(left) => {
                let length = length.min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= length as u64;
                &bytes[..length]
            }
            None => &bytes[..length],
        };
        if piece.is_empty() {
            return Err(ClientError::Invalid);
        }
        let out = &mut self.client.output;
        if self.left.is_none() {
            let mut line = *chunked::SIZE_LINE;
            chunked::fill_size(&mut line, piece.len());
            out.extend_from_slice(&line);
        }
        out.extend_from_slice(piece);
        if self.left.is_none() {
            out.extend_from_slice(b"\r\n");
        }
        if out.len() >= STEP {
            self.client.flush().await?;
        }
        Ok(piece.len())
    }

    /// Waits until the stream has taken everything.
    ///
    /// # Errors
    /// See [`ClientError`].
    async fn flush(&mut self) -> Result<(), Self::Error> {
        self.client.flush().await
    }
}

/// A server's answer. Its body is read by the traits of `embedded-io-async`.
pub struct Answer<'c, S> {
    client: &'c mut Client<S>,
    status: Status,
    head: Vec<u8>,
}

impl<S> fmt::Debug for Answer<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").finish_non_exhaustive()
    }
}

impl<S: Read + Write> Answer<'_, S> {
    /// The status.
    pub fn status(&self) -> Status {
        self.status
    }

    /// The value of the first header field of that name, in any case. `None` if there is
    /// none, or if it is not UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .and_then(|(_, value)| core::str::from_utf8(value).ok())
    }

    /// All header fields in their order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.client.fields.iter().map(|field| {
            let name = core::str::from_utf8(field.name.of(&self.head)).unwrap_or_default();
            (name, field.value.of(&self.head))
        })
    }

    /// Reads the rest of the body.
    ///
    /// # Errors
    /// [`Error::BodyTooLarge`] if it is longer than `limit`
    /// bytes, [`Error::NoRoom`], and all errors of reading it.
    pub async fn read_to_vec(&mut self, limit: usize) -> Result<Vec<u8>, ClientError<S::Error>> {
        let too_large = ClientError::Body(Error::BodyTooLarge);
        crate::read_to_vec(self, 0, limit, async |_, _| Ok(()), ClientError::Body)
            .await?
            .ok_or(too_large)
    }
}

impl<S: Read + Write> ErrorType for Answer<'_, S> {
    type Error = ClientError<S::Error>;
}

impl<S: Read + Write> Read for Answer<'_, S> {
    /// Reads bytes of the body. Zero means that it is over.
    ///
    /// # Errors
    /// See [`ClientError`].
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        self.client.read_body(buffer).await
    }
}
