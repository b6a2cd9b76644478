//! The head of a message: the start line and the header fields (RFC 9112, sections 2-5).
//!
//! Parsed here rather than by a crate, because the usual ones accept what a server behind
//! a proxy must not: bare line feeds, several blank lines, spaces around names.

use crate::span::Span;
use crate::syntax::{self, is_token, list, parse_decimal, trim, trim_start};
use crate::target::{self, Target};
use crate::{Limits, Method, Status};
use alloc::vec::Vec;

/// A header field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: Span,
    pub(crate) value: Span,
}

/// Where a complete head lies in the input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// Where the start line begins: 2 if an empty line precedes it.
    pub(crate) start: usize,
    /// Where the header fields begin.
    pub(crate) fields: usize,
    /// Behind the empty line.
    pub(crate) end: usize,
}

/// Looks for the end of a head in input that grows, without looking twice at any byte.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    start: usize,
    fields: usize,
    /// Start of the line that is scanned.
    line: usize,
    /// The first byte not looked at yet.
    next: usize,
    /// Complete lines, the start line among them.
    lines: usize,
}

impl Scanner {
    /// Looks at the input's new part.
    ///
    /// # Errors
    /// The status of the refusal, if a line does not end in CR LF or a limit is exceeded.
    pub(crate) fn advance(
        &mut self,
        input: &[u8],
        limits: &Limits,
    ) -> Result<Option<Extent>, Status> {
        while let Some(length) = memchr::memchr(b'\n', &input[self.next..]) {
            let end = self.next + length;
            if end == self.line || input[end - 1] != b'\r' {
                return Err(Status::BAD_REQUEST);
            }
            let is_empty = end - 1 == self.line;
            self.next = end + 1;
            self.check_limits(end - 1, limits)?;
            if self.lines > 0 && is_empty {
                return Ok(Some(Extent {
                    start: self.start,
                    fields: self.fields,
                    end: self.next,
                }));
            }
            self.line = self.next;
            if is_empty {
                // One empty line before the start line is passed over (RFC 9112, 2.2).
                if self.start > 0 {
                    return Err(Status::BAD_REQUEST);
                }
                self.start = self.next;
                continue;
            }
            if self.lines == 0 {
                self.fields = self.next;
            }
            self.lines += 1;
        }
        self.next = input.len();
        // A CR at the end may belong to the line's end, which does not count.
        let end = input.len() - usize::from(input.ends_with(b"\r"));
        self.check_limits(end.max(self.line), limits)?;
        let first = input.get(self.start);
        if self.lines == 0
            && first.is_some_and(|&byte| !syntax::is_token_byte(byte) && byte != b'\r')
        {
            // Not HTTP, perhaps TLS: no need to wait for more of it.
            return Err(Status::BAD_REQUEST);
        }
        Ok(None)
    }

    /// Checks the limits for a line that reaches to `end` at least.
    fn check_limits(&self, end: usize, limits: &Limits) -> Result<(), Status> {
        if self.lines == 0 {
            return if end - self.line > limits.request_line {
                Err(Status::URI_TOO_LONG)
            } else {
                Ok(())
            };
        }
        let is_field = end > self.line;
        if end - self.fields > limits.headers
            || self.lines - 1 + usize::from(is_field) > limits.header_count
        {
            return Err(Status::HEADER_FIELDS_TOO_LARGE);
        }
        Ok(())
    }
}

/// How a message's body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// That many bytes.
    Length(u64),
    /// The chunked coding.
    Chunked,
}

/// A request's head, understood.
#[derive(Debug)]
pub(crate) struct RequestHead {
    pub(crate) method: Method,
    pub(crate) target: Target,
    /// The minor version: 0, or 1 for all later ones.
    pub(crate) minor: u8,
    pub(crate) keep_alive: bool,
    pub(crate) framing: Framing,
    pub(crate) expects_continue: bool,
}

impl RequestHead {
    pub(crate) fn has_body(&self) -> bool {
        self.framing != Framing::Length(0)
    }

    /// True if the client sends nothing behind the head: it has no body, and a client that asks for
    /// the connection's end sends no more requests (RFC 9112, section 9.6).
    pub(crate) fn is_last(&self) -> bool {
        !self.keep_alive && !self.has_body()
    }
}

/// The facts that the header fields state about the message itself.
#[derive(Default)]
pub(crate) struct Facts {
    hosts: usize,
    pub(crate) length: Option<u64>,
    codings: usize,
    chunked: bool,
    pub(crate) close: bool,
    pub(crate) keep_alive: bool,
    expects_continue: bool,
    expects_other: bool,
}

impl Facts {
    /// How the fields delimit a body, if they do.
    ///
    /// # Errors
    /// 400 if the length is ambiguous, 501 if the coding is not exactly `chunked`.
    pub(crate) fn framing(&self) -> Result<Option<Framing>, Status> {
        match (self.codings, self.length) {
            (0, None) => Ok(None),
            (0, Some(length)) => Ok(Some(Framing::Length(length))),
            (1, None) if self.chunked => Ok(Some(Framing::Chunked)),
            (1, None) => Err(Status::NOT_IMPLEMENTED),
            _ => Err(Status::BAD_REQUEST),
        }
    }

    fn note(&mut self, name: &[u8], value: &[u8]) -> Result<(), Status> {
        if name.eq_ignore_ascii_case(b"host") {
            self.hosts += 1;
            if self.hosts > 1 || !syntax::is_authority(value) {
                return Err(Status::BAD_REQUEST);
            }
        } else if name.eq_ignore_ascii_case(b"content-length") {
            if self.length.is_some() {
                return Err(Status::BAD_REQUEST);
            }
            self.length = Some(parse_decimal(value).ok_or(Status::BAD_REQUEST)?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.codings += 1;
            self.chunked = value.eq_ignore_ascii_case(b"chunked");
        } else if name.eq_ignore_ascii_case(b"connection") {
            for option in list(value) {
                self.close |= option.eq_ignore_ascii_case(b"close");
                self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            }
        } else if name.eq_ignore_ascii_case(b"expect") {
            let known = value.eq_ignore_ascii_case(b"100-continue");
            self.expects_continue |= known;
            self.expects_other |= !known;
        }
        Ok(())
    }
}

/// Parses a complete request head. `head` ends with the empty line, and offsets count
/// from its first byte; `fields_start` is where the header fields begin.
///
/// # Errors
/// The status of the refusal.
pub(crate) fn parse_request(
    head: &[u8],
    fields_start: usize,
    fields: &mut Vec<Field>,
    limits: &Limits,
) -> Result<RequestHead, Status> {
    let line = head
        .get(..fields_start.wrapping_sub(2))
        .ok_or(Status::BAD_REQUEST)?;
    let mut words = line.split(|&byte| byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Status::BAD_REQUEST);
    };
    if !is_token(method) {
        return Err(Status::BAD_REQUEST);
    }
    let (major, minor) = parse_version(version).ok_or(Status::BAD_REQUEST)?;
    if major != 1 {
        return Err(Status::VERSION_NOT_SUPPORTED);
    }
    let facts = parse_fields(head, fields_start, fields)?;
    if facts.hosts == 0 && minor > 0 {
        return Err(Status::BAD_REQUEST);
    }
    if facts.codings > 0 && minor == 0 {
        // Faulty framing, perhaps by an old proxy (RFC 9112, section 6.1).
        return Err(Status::BAD_REQUEST);
    }
    let framing = facts.framing()?;
    let offset = method.len() + 1;
    let method = Method::from_bytes(method).ok_or(Status::NOT_IMPLEMENTED)?;
    let target = target::parse(method, target, offset).ok_or(Status::BAD_REQUEST)?;
    if facts.expects_other {
        return Err(Status::EXPECTATION_FAILED);
    }
    if framing.is_none() && method.needs_length() {
        return Err(Status::LENGTH_REQUIRED);
    }
    let framing = framing.unwrap_or(Framing::Length(0));
    if matches!(framing, Framing::Length(length) if length > limits.body || length == u64::MAX) {
        return Err(Status::CONTENT_TOO_LARGE);
    }
    Ok(RequestHead {
        method,
        target,
        minor,
        keep_alive: !facts.close && (minor > 0 || facts.keep_alive),
        framing,
        expects_continue: facts.expects_continue && minor > 0,
    })
}

/// Parses `HTTP/1.1`. A later minor version counts as 1 (RFC 9110, section 2.5).
pub(crate) fn parse_version(version: &[u8]) -> Option<(u8, u8)> {
    match version {
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Some((major - b'0', (minor - b'0').min(1)))
        }
        _ => None,
    }
}

/// Parses the header fields, from `start` to the empty line at the head's end.
///
/// # Errors
/// The status of the refusal.
pub(crate) fn parse_fields(
    head: &[u8],
    start: usize,
    fields: &mut Vec<Field>,
) -> Result<Facts, Status> {
    fields.clear();
    let mut facts = Facts::default();
    let mut at = start;
    loop {
        let line = head.get(at..).unwrap_or_default();
        if line.starts_with(b"\r\n") {
            return Ok(facts);
        }
        let name = syntax::token_length(line);
        // A line that is continued by the next (RFC 9112, section 5.2) has no name there.
        if name == 0 || line.get(name) != Some(&b':') {
            return Err(Status::BAD_REQUEST);
        }
        let untrimmed = trim_start(&line[name + 1..]);
        let value_start = line.len() - untrimmed.len();
        let length = syntax::value_length(untrimmed);
        if !untrimmed[length..].starts_with(b"\r\n") {
            return Err(Status::BAD_REQUEST);
        }
        let value = trim(&untrimmed[..length]);
        facts.note(&line[..name], value)?;
        let span = |start, length| Span {
            start: at + start,
            end: at + start + length,
        };
        fields.push(Field {
            name: span(0, name),
            value: span(value_start, value.len()),
        });
        at += value_start + length + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Parses input that is a head and nothing else.
    fn parse(input: &[u8]) -> Option<(Extent, RequestHead, Vec<Field>)> {
        let limits = Limits::default();
        let extent = Scanner::default().advance(input, &limits).ok()??;
        let mut fields = Vec::new();
        let head = &input[extent.start..extent.end];
        let parsed = parse_request(head, extent.fields - extent.start, &mut fields, &limits);
        Some((extent, parsed.ok()?, fields))
    }

    fn pieces() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop::sample::select(&[
            "GET",
            "POST",
            " ",
            "/",
            "*",
            "/a%20b",
            "?q",
            "HTTP/1.1",
            "HTTP/1.0",
            "\r\n",
            "\n",
            "\r",
            "\t",
            ":",
            ": ",
            "Host",
            "host: h\r\n",
            "Content-Length: 3\r\n",
            "Transfer-Encoding",
            "chunked",
            "X",
            ",",
            "\0",
            "\u{e9}",
            "GET / HTTP/1.1\r\n",
            "\r\n\r\n",
        ]);
        prop::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat().into_bytes())
    }

    /// Heads that are nearly or wholly right.
    fn heads() -> impl Strategy<Value = Vec<u8>> {
        let middle = pieces();
        (middle, any::<bool>()).prop_map(|(middle, whole)| {
            let mut head = Vec::from(&b"GET /x HTTP/1.1\r\nHost: h\r\n"[..]);
            head.truncate(if whole { head.len() } else { 0 });
            head.extend(middle);
            head.extend(b"\r\n\r\n");
            head
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4096) })]

        /// Whatever is accepted, a widely used parser understands in the same way.
        #[test]
        fn agrees_with_httparse(input in heads()) {
            let Some((extent, head, fields)) = parse(&input) else { return Ok(()) };
            let bytes = &input[extent.start..extent.end];
            let mut expected = [httparse::EMPTY_HEADER; 64];
            let mut request = httparse::Request::new(&mut expected);
            let length = request.parse(bytes).expect("accepted").unwrap();
            prop_assert_eq!(length, bytes.len());
            prop_assert_eq!(request.method, Some(head.method.as_str()));
            prop_assert_eq!(request.version, Some(head.minor));
            prop_assert_eq!(request.headers.len(), fields.len());
            for (field, expected) in fields.iter().zip(request.headers) {
                prop_assert_eq!(field.name.of(bytes), expected.name.as_bytes());
                prop_assert_eq!(field.value.of(bytes), expected.value);
            }
        }

        /// The end of a head is found in the same place in whatever pieces it arrives.
        #[test]
        fn scans_in_pieces(input in heads(), step in 1_usize..20) {
            let limits = Limits::default();
            let whole = Scanner::default().advance(&input, &limits);
            let mut scanner = Scanner::default();
            let mut end = 0;
            let pieces = loop {
                end = input.len().min(end + step);
                match scanner.advance(&input[..end], &limits) {
                    Ok(None) if end < input.len() => {}
                    scanned => break scanned,
                }
            };
            let place = |scanned: Result<Option<Extent>, Status>| {
                scanned.map(|extent| extent.map(|extent| (extent.start, extent.fields, extent.end)))
            };
            // Input that can never become a request may be refused before its end is known.
            let is_early = pieces.is_err() && parse(&input).is_none();
            prop_assert!(is_early || place(pieces) == place(whole));
        }
    }
}
