//! The life of TCP connections: who owns them, and when they are gone.

use super::engine::{Cause, Engine};
use super::flow::{Connection, Flow, Owner};
use super::frame::Tuple;
use super::{Error, flow};
use core::net::SocketAddr;
use smoltcp::socket::tcp::{self, State};
use smoltcp::time::{Duration, Instant};

/// How long a connection that the application is done with may take to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the RST of a connection that is gone may take to be sent.
const RESET_TIMEOUT: Duration = Duration::from_secs(1);
/// smoltcp holds a connection in TIME-WAIT for ten seconds. One that the application
/// still holds is left alone a little earlier.
const TIME_WAIT: Duration = Duration::from_secs(9);

/// Where a segment belongs.
pub(super) enum Found {
    /// To this flow.
    Flow(usize),
    /// To this listener: it opens a connection.
    Listener(usize),
}

impl Connection {
    pub(super) fn time_wait_is_over(&self, now: Instant) -> bool {
        self.time_wait_since
            .is_some_and(|since| since + TIME_WAIT <= now)
    }
}

impl Engine {
    /// Where a segment belongs: to its connection, or to a listener if it opens one, or
    /// to the interface, from where smoltcp answers with RST.
    pub(super) fn connection_for(&mut self, tuple: Tuple, opens: bool) -> Found {
        if let Some(key) = self.table.find(&tuple) {
            if !(opens && self.may_be_reopened(key)) {
                return Found::Flow(key);
            }
            self.remove(key);
        }
        let listener = self.tcp_ports.lookup(tuple.local()).filter(|_| opens);
        listener.map_or(Found::Flow(self.interface_flow), Found::Listener)
    }

    /// Whether a SYN may open a connection anew (RFC 9293, section 3.6.1).
    fn may_be_reopened(&mut self, key: usize) -> bool {
        let connection = self.table.get(key).and_then(Flow::tcp);
        connection.is_some_and(|(_, connection)| {
            connection.state == State::TimeWait && connection.owner == Owner::Nobody
        })
    }

    /// Removes a connection without a word to the peer.
    pub(super) fn remove(&mut self, key: usize) {
        match self.table.owner(key) {
            Some(Owner::HalfOpen(listener) | Owner::Waiting(listener)) => {
                self.listeners[listener].forget(key);
            }
            Some(Owner::Nobody) => self.time_wait.retain(|other| *other != key),
            Some(Owner::Stream) | None => {}
        }
        self.table.remove(key);
    }

    /// Takes note of a connection's new state.
    pub(super) fn settle_connection(&mut self, key: usize, cause: Cause, now: Instant) {
        let Some((socket, connection)) = self.table.get(key).and_then(Flow::tcp) else {
            return;
        };
        if connection.owner == Owner::Nobody {
            discard_received(socket);
        }
        let (old, new) = (connection.state, socket.state());
        let gone = Self::is_gone(socket);
        if old == new && !gone {
            // A socket in LISTEN did not take the SYN: a wrong checksum, perhaps.
            if new == State::Listen {
                self.remove(key);
            }
            return;
        }
        connection.state = new;
        connection.note(old, cause, now);
        let (owner, tuple) = (connection.owner, connection.tuple);
        if gone {
            self.table.forget_tuple(tuple, key);
        }
        match owner {
            Owner::HalfOpen(_) if matches!(new, State::Listen | State::Closed) => self.remove(key),
            Owner::HalfOpen(_) if new == State::SynReceived => {}
            Owner::HalfOpen(listener) => self.establish(key, listener),
            Owner::Waiting(_) if new == State::Closed => self.remove(key),
            Owner::Nobody if gone => self.remove(key),
            Owner::Nobody if new == State::TimeWait => self.enter_time_wait(key),
            Owner::Waiting(_) | Owner::Stream | Owner::Nobody => {}
        }
    }

    /// Lets a connection wait to be accepted.
    fn establish(&mut self, key: usize, listener: usize) {
        let timeout = self.config.timeout;
        if let Some((socket, connection)) = self.table.get(key).and_then(Flow::tcp) {
            connection.owner = Owner::Waiting(listener);
            socket.set_timeout(Some(timeout.into()));
        }
        self.totals.accepted += 1;
        self.listeners[listener].establish(key);
    }

    /// Bounds the connections that do nothing but wait.
    fn enter_time_wait(&mut self, key: usize) {
        if let Some((_, connection)) = self.table.get(key).and_then(Flow::tcp) {
            connection.abort_at = None;
        }
        self.time_wait.push_back(key);
        if self.time_wait.len() > self.config.max_time_wait {
            self.evict_time_wait();
        }
    }

    /// Hands a connection that waits at a listener to a stream.
    pub(super) fn take_waiting(&mut self, listener: usize) -> Option<(usize, Tuple)> {
        let key = self.listeners.get_mut(listener)?.waiting.pop_front()?;
        let (_, connection) = self.table.get(key)?.tcp()?;
        connection.owner = Owner::Stream;
        Some((key, connection.tuple))
    }

    /// Begins to open a connection. Returns its key and its ends.
    pub(super) fn open(&mut self, remote: SocketAddr) -> Result<(usize, Tuple), Error> {
        let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
        self.check_route(remote.ip())?;
        if !self.make_room() {
            return Err(Error::LimitReached);
        }
        let address = self
            .interface
            .get_source_address(&remote.ip().into())
            .ok_or(Error::NotConfigured)?;
        let (table, listeners) = (&self.table, &self.tcp_ports);
        let port = self.random.port(|port| {
            let local = (address, port).into();
            let tuple = Tuple::new(local, remote.into());
            listeners.lookup(local).is_none() && table.find(&tuple).is_none()
        })?;
        let mut socket = flow::connecting_socket(&self.config);
        socket
            .connect(self.interface.context(), remote, (address, port))
            .map_err(|_| Error::Unreachable)?;
        let tuple = Tuple::new((address, port).into(), remote.into());
        let key = self.table.insert(Flow::connecting(tuple, socket));
        Ok((key, tuple))
    }

    /// How far opening a connection has come: `None` while it goes on.
    pub(super) fn opened(&mut self, key: usize) -> Option<Result<(), Error>> {
        let timeout = self.config.timeout;
        let Some((socket, connection)) = self.table.get(key).and_then(Flow::tcp) else {
            return Some(Err(Error::ConnectionReset));
        };
        match socket.state() {
            State::SynSent | State::SynReceived => None,
            State::Closed => Some(Err(connection.error.unwrap_or(Error::ConnectionReset))),
            _ => {
                socket.set_timeout(Some(timeout.into()));
                self.totals.connected += 1;
                Some(Ok(()))
            }
        }
    }

    /// One stream less refers to a connection. When none is left, it is closed.
    pub(super) fn release(&mut self, key: usize) {
        let now = self.now();
        let Some((socket, connection)) = self.table.get(key).and_then(Flow::tcp) else {
            return;
        };
        connection.handles -= 1;
        if connection.handles > 0 {
            return;
        }
        let over = connection.time_wait_is_over(now)
            || socket.state() == State::SynSent
            || Self::is_gone(socket);
        connection.owner = Owner::Nobody;
        connection.abort_at = match socket.state() {
            State::Closed => Some(now + RESET_TIMEOUT),
            _ => Some(now + CLOSE_TIMEOUT),
        };
        socket.close();
        connection.state = socket.state();
        discard_received(socket);
        let is_waiting = connection.state == State::TimeWait;
        if over {
            self.remove(key);
        } else if is_waiting {
            self.enter_time_wait(key);
        }
    }

    /// Resets a connection that waits to be accepted, and lets it go.
    pub(super) fn reject(&mut self, key: usize) {
        let now = self.now();
        if let Some((socket, connection)) = self.table.get(key).and_then(Flow::tcp) {
            connection.owner = Owner::Nobody;
            connection.abort_at = Some(now + RESET_TIMEOUT);
            socket.abort();
        }
    }

    /// Resets a connection that takes too long to close, and removes one whose reset
    /// takes too long. Returns whether it is still there.
    pub(super) fn check_closing(&mut self, key: usize, now: Instant) -> bool {
        let Some((socket, connection)) = self.table.get(key).and_then(Flow::tcp) else {
            return false;
        };
        if connection.abort_at.is_none_or(|time| time > now) {
            return true;
        }
        if socket.state() == State::Closed {
            self.remove(key);
            return false;
        }
        connection.abort_at = Some(now + RESET_TIMEOUT);
        socket.abort();
        true
    }

    /// Forgets a half-open connection whose listener is gone.
    pub(super) fn forget_half_open(&mut self, key: usize) {
        self.table.remove(key);
    }
}

impl Connection {
    /// Remembers what a stream will have to know about a change of state.
    fn note(&mut self, old: State, cause: Cause, now: Instant) {
        match self.state {
            State::CloseWait | State::LastAck | State::Closing => self.peer_finished = true,
            State::TimeWait => {
                self.peer_finished = true;
                self.time_wait_since = Some(now);
            }
            State::Closed if !matches!(old, State::LastAck | State::TimeWait | State::Closed) => {
                let error = match (old, cause) {
                    (State::SynSent, Cause::Peer) => Error::ConnectionRefused,
                    (_, Cause::Peer) => Error::ConnectionReset,
                    (_, Cause::Local) => Error::TimedOut,
                };
                self.error.get_or_insert(error);
            }
            _ => {}
        }
    }
}

/// Drops data that nobody will read, so that the peer can go on to close its side.
fn discard_received(socket: &mut tcp::Socket<'_>) {
    while socket.can_recv() && socket.recv(|bytes| (bytes.len(), ())).is_ok() {}
}
