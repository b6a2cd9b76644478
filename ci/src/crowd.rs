//! Many clients of an HTTP server at once, each of which does the same.

use rustix::io::Errno;
use rustix::net::sockopt::set_socket_recv_buffer_size;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How a client treats its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It sends its request at once, and reads all that comes.
    Quick,
    /// It sends its request at once, and reads a byte now and then.
    SlowReader,
    /// It sends the request's head at once, and a byte of the body now and then.
    SlowBody,
}

/// The clients' observations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Bytes that came.
    pub bytes: u64,
    /// Connections that ended.
    pub ended: u64,
}

/// Clients that send one of several requests over and over, each on a connection of its own. One
/// that ends is opened again.
pub struct Crowd {
    server: SocketAddr,
    manner: Manner,
    requests: Vec<(String, usize)>,
    clients: Vec<Member>,
    seen: Seen,
}

struct Member {
    stream: TcpStream,
    /// Which of the requests it sends, and how much of it was sent.
    request: usize,
    sent: usize,
}

/// Bytes that one client reads and sends at most before it is the next one's turn.
const TURN: usize = 64 << 10;
/// How often a slow one does something.
const PAUSE: Duration = Duration::from_millis(100);

impl Crowd {
    /// So many clients, which send the requests in turn: each a head, and how many bytes follow.
    ///
    /// # Panics
    /// If there are no sockets, or no requests.
    pub fn new(
        server: SocketAddr,
        count: usize,
        manner: Manner,
        requests: Vec<(String, usize)>,
    ) -> Self {
        let clients = (0..count).map(|number| Member::new(server, manner, number % requests.len()));
        Self {
            server,
            manner,
            clients: clients.collect(),
            requests,
            seen: Seen::default(),
        }
    }

    /// Lets them do what they do for so long. Returns what they have seen since the start.
    ///
    /// # Panics
    /// If there are no sockets.
    pub fn run(&mut self, time: Duration) -> Seen {
        let end = Instant::now() + time;
        while Instant::now() < end {
            let next = Instant::now() + self.pause();
            for client in &mut self.clients {
                let (head, body) = &self.requests[client.request];
                if !client.step(self.manner, head.as_bytes(), *body, &mut self.seen) {
                    self.seen.ended += 1;
                    *client = Member::new(self.server, self.manner, client.request);
                }
            }
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        self.seen
    }

    fn pause(&self) -> Duration {
        match self.manner {
            Manner::Quick => Duration::from_millis(2),
            Manner::SlowReader | Manner::SlowBody => PAUSE,
        }
    }
}

impl Member {
    fn new(server: SocketAddr, manner: Manner, request: usize) -> Self {
        let family = match server {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let socket = socket_with(family, SocketType::STREAM, SocketFlags::NONBLOCK, None);
        let socket = socket.expect("there are sockets");
        if manner == Manner::SlowReader {
            set_socket_recv_buffer_size(&socket, 4096).expect("a socket has a buffer");
        }
        let begun = connect(&socket, &server);
        assert!(
            matches!(begun, Ok(()) | Err(Errno::INPROGRESS)),
            "{begun:?}"
        );
        let stream = socket.into();
        Self {
            stream,
            request,
            sent: 0,
        }
    }

    /// Sends and receives what there is. Returns whether the connection goes on.
    fn step(&mut self, manner: Manner, head: &[u8], body: usize, seen: &mut Seen) -> bool {
        self.send(manner, head, body) && self.receive(manner, seen)
    }

    fn send(&mut self, manner: Manner, head: &[u8], body: usize) -> bool {
        let filler = [b'x'; 16 << 10];
        let mut turn = 0;
        while turn < TURN && self.sent < head.len() + body {
            let piece = match head.get(self.sent..) {
                Some(rest) if !rest.is_empty() => rest,
                _ if manner == Manner::SlowBody => &filler[..1],
                _ => &filler[..filler.len().min(head.len() + body - self.sent)],
            };
            match self.stream.write(piece) {
                Ok(count) => {
                    let was_body = self.sent >= head.len();
                    (self.sent, turn) = (self.sent + count, turn + count);
                    if was_body && manner == Manner::SlowBody {
                        return true;
                    }
                }
                Err(error) => return is_to_wait(&error),
            }
        }
        true
    }

    fn receive(&mut self, manner: Manner, seen: &mut Seen) -> bool {
        let mut buffer = [0; 16 << 10];
        let (most, turn) = match manner {
            Manner::Quick => (buffer.len(), TURN),
            Manner::SlowReader | Manner::SlowBody => (1, 1),
        };
        let mut received = 0;
        while received < turn {
            match self.stream.read(&mut buffer[..most]) {
                Ok(0) => return false,
                Ok(count) => {
                    received += count;
                    seen.bytes += count as u64;
                }
                Err(error) => return is_to_wait(&error),
            }
        }
        true
    }
}

/// Returns whether there is nothing to do but to wait. A connection that is not open yet says so,
/// too.
fn is_to_wait(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::NotConnected
    )
}
