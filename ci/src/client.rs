use crate::PATIENCE;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// An HTTP connection driven by hand.
pub struct Client {
    stream: TcpStream,
    /// The received bytes that were not handed out yet.
    pending: Vec<u8>,
}

/// An answer of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Status line and header lines, as they came.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a header field.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl Client {
    /// Connects to a server. Every wait on the connection ends after [`PATIENCE`].
    ///
    /// # Errors
    /// If the connection is refused or nobody answers.
    pub fn connect(address: IpAddr, port: u16) -> io::Result<Self> {
        Self::connect_within(address, port, PATIENCE)
    }

    /// As [`connect`](Self::connect), but every wait ends after `patience`: for servers that may
    /// be gone without a word.
    ///
    /// # Errors
    /// If the connection is refused or nobody answers.
    pub fn connect_within(address: IpAddr, port: u16, patience: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&SocketAddr::new(address, port), patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            pending: Vec::new(),
        })
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// If the connection is lost.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Says that nothing more will be sent.
    ///
    /// # Errors
    /// If the connection is lost.
    pub fn finish(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// Sends a request with these header lines, each ended by CR LF, and reads the answer.
    ///
    /// # Errors
    /// If the connection is lost or the answer is none.
    pub fn request(&mut self, method: &str, target: &str, lines: &str) -> io::Result<Response> {
        self.send(format!("{method} {target} HTTP/1.1\r\nHost: guest\r\n{lines}\r\n").as_bytes())?;
        self.response(method)
    }

    /// Gets a page and leaves the connection open.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub fn get(&mut self, target: &str) -> io::Result<Response> {
        self.request("GET", target, "")
    }

    /// Reads one answer to a request of that method.
    ///
    /// # Errors
    /// If the connection ends within it or the answer is none.
    pub fn response(&mut self, method: &str) -> io::Result<Response> {
        let head = self.head()?;
        let status = status(&head).ok_or_else(|| malformed(&head))?;
        let mut response = Response {
            status,
            head,
            body: Vec::new(),
        };
        let bodiless = method == "HEAD" || matches!(status, 100..=199 | 204 | 304);
        if bodiless {
            return Ok(response);
        }
        response.body = match response.header("content-length") {
            Some(length) => {
                let length = length.parse().map_err(|_| malformed(&response.head))?;
                self.fill(length)?;
                self.pending.drain(..length).collect()
            }
            None if response.header("transfer-encoding").is_some() => self.chunks()?,
            None => self.rest()?,
        };
        Ok(response)
    }

    /// Everything up to the end of the connection.
    ///
    /// # Errors
    /// If the connection is reset, or does not end.
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut all = std::mem::take(&mut self.pending);
        self.stream.read_to_end(&mut all)?;
        Ok(all)
    }

    fn head(&mut self) -> io::Result<String> {
        const BLANK_LINE: &[u8] = b"\r\n\r\n";
        loop {
            let end = self
                .pending
                .windows(4)
                .position(|window| window == BLANK_LINE);
            if let Some(end) = end {
                let head = self.pending.drain(..end + 4).collect();
                return String::from_utf8(head).map_err(|_| malformed("a head that is not text"));
            }
            self.fill(self.pending.len() + 1)?;
        }
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let size = usize::from_str_radix(&line, 16).map_err(|_| malformed(&line))?;
            self.fill(size + 2)?;
            body.extend(self.pending.drain(..size));
            self.pending.drain(..2);
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.pending.windows(2).position(|window| window == b"\r\n") {
                let line = self.pending.drain(..end + 2).take(end).collect();
                return String::from_utf8(line).map_err(|_| malformed("a chunk without a size"));
            }
            self.fill(self.pending.len() + 1)?;
        }
    }

    /// Reads until at least `count` bytes are pending.
    fn fill(&mut self, count: usize) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        while self.pending.len() < count {
            match self.stream.read(&mut buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => self.pending.extend_from_slice(&buffer[..read]),
            }
        }
        Ok(())
    }
}

fn status(head: &str) -> Option<u16> {
    head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("not an HTTP answer: {what:?}"),
    )
}
