use core::time::Duration;

/// The bounds of a server: what it accepts from a client, and for how long it waits.
///
/// A connection holds at most `request_line + headers + body_buffer + write_buffer`
/// bytes of buffers, and far less while it is idle.
///
/// ```
/// use fata_http::Limits;
///
/// let limits = Limits { body: 1 << 30, ..Limits::default() };
/// assert_eq!(limits.header_count, 100);
/// ```
#[derive(Clone, Debug)]
pub struct Limits {
    /// Longest request line in bytes; a longer one is answered 414. Default: 8 KiB.
    pub request_line: usize,
    /// Most bytes of all header fields together; more are answered 431. Default: 16 KiB.
    pub headers: usize,
    /// Most header fields; more are answered 431. Default: 100.
    pub header_count: usize,
    /// Longest request body in bytes; a longer one is answered 413. Default: 16 MiB.
    pub body: u64,
    /// Buffer for a request body, in bytes, allocated while a body is expected.
    /// Default: 8 KiB.
    pub body_buffer: usize,
    /// Buffer for answers, in bytes. An answer that fits leaves in one write.
    /// Default: 8 KiB.
    pub write_buffer: usize,
    /// Bytes that a handler may hold for a request, beside the buffers above and what it asks for
    /// by [`Request::reserve`](crate::Request::reserve). Default: 14 KiB: a
    /// [`FileServer`](crate::FileServer) and a store that reads a block for it need most of that.
    pub request_memory: usize,
    /// How long a request waits for memory, or to be one of those that take long; then the answer
    /// is 503. Default: 1 s.
    pub room_timeout: Duration,
    /// How long a request's head may take from its first byte on; then the answer is 408.
    /// Default: 10 s.
    pub head_timeout: Duration,
    /// How long a connection may be idle before a request; then it is closed.
    /// Default: 60 s.
    pub idle_timeout: Duration,
    /// How long the client may send nothing of a body that is waited for; then the
    /// answer is 408. Default: 20 s.
    pub body_timeout: Duration,
    /// How long the client may take nothing of an answer; then the connection is closed.
    /// Default: 20 s.
    pub write_timeout: Duration,
    /// Bytes a second that a client sends of a body, or takes of an answer, on average over
    /// [`rate_window`](Self::rate_window); else the answer is 408, or the connection is closed.
    /// Only time in which the server waits for the client counts. 0 for none. Default: 240.
    pub least_rate: u32,
    /// How long a client may be slower, a second at least. Default: 20 s.
    pub rate_window: Duration,
    /// Most simultaneous connections. Further ones wait, in the stack's backlog, and the
    /// server makes room for them: it closes the connection that has been idle, or whose
    /// request's head has been arriving, for the longest time and a quarter of a second at
    /// least, and others after their next answer. It does so too when the stack has no place
    /// for one more ([`TcpListener::has_room`](fata_net::TcpListener::has_room)), or the program
    /// no memory ([`TcpListener::memory`](fata_net::TcpListener::memory)); if none is idle, it
    /// closes those whose clients have sent or taken little for the longest time and half a second
    /// at least, and if there are none, it answers 503 to the latest requests that wait for
    /// something else for five seconds at least, but not to half of them. Seven of eight may have requests that take long: whose answers do not fit
    /// [`write_buffer`](Self::write_buffer), or 8 KiB if that is less, or that have bodies. Further such requests wait for
    /// [`room_timeout`](Self::room_timeout), or are answered 503 with `Retry-After`.
    /// Default: 2,000.
    pub connections: usize,
    /// Most bytes that are read and dropped when a request is refused or its body is
    /// not wanted, so that the client gets to read the answer. Default: 64 KiB.
    pub linger: usize,
    /// How long that may take. Default: 2 s.
    pub linger_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_line: 8 << 10,
            headers: 16 << 10,
            header_count: 100,
            body: 16 << 20,
            body_buffer: 8 << 10,
            write_buffer: 8 << 10,
            request_memory: 14 << 10,
            room_timeout: Duration::from_secs(1),
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(20),
            write_timeout: Duration::from_secs(20),
            least_rate: 240,
            rate_window: Duration::from_secs(20),
            connections: 2_000,
            linger: 64 << 10,
            linger_timeout: Duration::from_secs(2),
        }
    }
}
