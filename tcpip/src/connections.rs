//! The life of TCP connections: who owns them, and when they are gone.

use super::Error;
use super::engine::Engine;
use super::error;
use super::frame::Tuple;
use super::phy::Transmitter;
use super::table::{Flow, Owner, Reprieve, State, TimeWait};
use super::wire::{Path, Wire};
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;
use fata_net::Net;
use fata_tcp::{Connection, State as TcpState};
use fata_time::Instant;
use smoltcp::wire::IpAddress;

/// How long a connection that the application is done with may take to close, or to take
/// [`CLOSE_PROGRESS`] bytes of what was written before it gets as long again.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);
const CLOSE_PROGRESS: u32 = 16 * 1024;
/// How long it may take in all.
const CLOSE_LIMIT: Duration = Duration::from_secs(300);
/// How long the RST of a connection that is gone may take to be sent.
pub(super) const RESET_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a connection is remembered that this side has closed first (RFC 9293, section
/// 3.6.1, with a maximum segment lifetime of half a minute, as Linux has it).
const TIME_WAIT: Duration = Duration::from_secs(60);
/// When to look again whether there is memory.
const MEMORY_PAUSE: Duration = Duration::from_millis(50);
/// Bytes of the headers of IP and TCP.
pub(super) const HEADERS_IPV4: usize = 40;
pub(super) const HEADERS_IPV6: usize = 60;

impl Engine {
    /// The largest payload of a segment to or from an address.
    pub(super) fn segment_size(&self, address: IpAddress) -> u16 {
        let headers = match address {
            IpAddress::Ipv4(_) => HEADERS_IPV4,
            IpAddress::Ipv6(_) => HEADERS_IPV6,
        };
        let longest = self.longest_packet(address).saturating_sub(headers);
        u16::try_from(longest).unwrap_or(u16::MAX)
    }

    /// Removes a connection without a word to the peer.
    pub(super) fn remove(&mut self, key: usize) {
        let Some(entry) = self.table.remove(key) else {
            return;
        };
        match entry.state {
            State::HalfOpen(half_open) => {
                if let Some(backlog) = self.listeners.get_mut(half_open.listener) {
                    backlog.half_open -= 1;
                }
            }
            State::Flow(mut flow) => {
                flow.connection.release(&mut self.pool);
                if flow.stalled {
                    self.stalled.retain(|other| *other != key);
                }
                self.count(&mut flow);
                if self.table.connections() == 0 {
                    self.pool.trim();
                }
                if let Owner::Waiting(listener) = flow.owner
                    && let Some(backlog) = self.listeners.get_mut(listener)
                {
                    backlog.waiting.retain(|other| *other != key);
                }
            }
            State::TimeWait(_) => {}
        }
    }

    /// Takes over what a connection has counted.
    fn count(&mut self, flow: &mut Flow) {
        let counts = core::mem::take(&mut flow.connection.counts);
        self.totals.sent_segments += counts.sent;
        self.totals.retransmitted_segments += counts.retransmitted;
        self.totals.challenged_segments += counts.challenged;
    }

    /// Sends the last segment of a connection that has ended, and notes what has become of it,
    /// at once: before egress its stream may be dropped, and its peer may open the next one.
    pub(super) fn finish<N: Net>(
        &mut self,
        transmitter: &mut Transmitter<N>,
        key: usize,
        now: Instant,
    ) {
        if !self.transmit_connection(transmitter, key, now) {
            self.table.make_ready(key);
        }
    }

    /// Takes note of what has become of a connection.
    pub(super) fn settle_connection(&mut self, key: usize, now: Instant) {
        let Some(entry) = self.table.get(key) else {
            return;
        };
        let tuple = entry.tuple;
        let State::Flow(flow) = &mut entry.state else {
            return;
        };
        if !flow.connection.has_ended() {
            return;
        }
        let is_held = flow.owner == Owner::Stream;
        match flow.connection.state() {
            TcpState::TimeWait => {
                let numbers = (flow.connection.snd_nxt(), flow.connection.rcv_nxt());
                self.enter_time_wait(key, tuple, numbers, is_held, now);
            }
            TcpState::Closed if flow.connection.is_over() => {
                // Of those that are held, what was received can still be read.
                if is_held {
                    if self.table.find(&tuple) == Some(key) {
                        self.table.forget_tuple(&tuple);
                    }
                } else {
                    self.remove(key);
                }
            }
            _ => {}
        }
    }

    /// Leaves of a connection just what TIME-WAIT needs.
    fn enter_time_wait(
        &mut self,
        key: usize,
        tuple: Tuple,
        numbers: (fata_tcp::Sequence, fata_tcp::Sequence),
        is_held: bool,
        now: Instant,
    ) {
        if self.table.find(&tuple) != Some(key) {
            return;
        }
        let until = now + TIME_WAIT;
        let state = State::TimeWait(TimeWait { numbers, until });
        let key = if is_held {
            self.table.insert(tuple, state)
        } else {
            self.remove(key);
            self.table.insert(tuple, state)
        };
        self.table.set_timer(key, until);
        self.time_wait.push_back((key, until));
        self.bound_time_wait(now);
    }

    /// Keeps the connections in TIME-WAIT and the list of them in their bounds. The list
    /// has some in it that are gone: those whose time was up, and those that were opened
    /// anew.
    fn bound_time_wait(&mut self, now: Instant) {
        let list = &mut self.time_wait;
        while list.front().is_some_and(|(_, until)| *until <= now) {
            list.pop_front();
        }
        let most = self.config.max_time_wait;
        while self.table.time_wait() > most || self.time_wait.len() > 2 * most + 1 {
            self.evict_time_wait();
        }
    }

    /// Forgets the oldest connection in TIME-WAIT.
    fn evict_time_wait(&mut self) {
        while let Some((key, until)) = self.time_wait.pop_front() {
            if self.is_time_wait(key, until) {
                self.remove(key);
                self.totals.evicted_time_wait += 1;
                return;
            }
        }
    }

    fn is_time_wait(&mut self, key: usize, until: Instant) -> bool {
        let entry = self.table.get(key);
        entry.is_some_and(
            |entry| matches!(&entry.state, State::TimeWait(wait) if wait.until == until),
        )
    }

    /// Hands a connection that waits at a listener to a stream.
    pub(super) fn take_waiting(&mut self, listener: usize) -> Option<(usize, Tuple)> {
        let key = self.listeners.get_mut(listener)?.waiting.pop_front()?;
        self.table.flow(key)?.owner = Owner::Stream;
        Some((key, self.table.get(key)?.tuple))
    }

    /// Begins to open a connection. Returns its key and its ends.
    pub(super) fn open(&mut self, remote: SocketAddr) -> Result<(usize, Tuple), Error> {
        let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
        self.check_route(remote.ip())?;
        // A connection has one peer (RFC 9293, section 3.9.2.3).
        if self.group(remote.ip().into()).is_some() {
            return Err(Error::Unreachable);
        }
        if !self.has_room() || self.pool.is_scarce() {
            return Err(Error::LimitReached);
        }
        let address = self
            .source_address(remote.ip().into())
            .ok_or(Error::NotConfigured)?;
        let (table, listeners) = (&self.table, &self.tcp_ports);
        let port = self.random.port(|port| {
            let local = (address, port).into();
            let tuple = Tuple::new(local, remote.into());
            listeners.lookup(local).is_none() && table.find(&tuple).is_none()
        })?;
        let now = self.now();
        let tuple = Tuple::new((address, port).into(), remote.into());
        let initial = self.secret.iss(&tuple, now);
        let own = self.segment_size(address);
        let connection = Connection::connecting(initial, own, self.settings, now);
        let flow = Flow::new(connection, Owner::Stream, None);
        Ok((self.table.insert(tuple, State::Flow(flow)), tuple))
    }

    /// Tells whether one more connection may come or go out.
    pub(super) fn has_room(&mut self) -> bool {
        self.has_place() && self.table.can_grow()
    }

    /// Tells whether there are fewer connections than there may be.
    pub(super) fn has_place(&self) -> bool {
        self.table.connections() < self.config.max_connections
    }

    /// How far opening a connection has come: `None` while it goes on.
    pub(super) fn opened(&mut self, key: usize) -> Option<Result<(), Error>> {
        let Some(flow) = self.table.flow(key) else {
            return Some(Err(Error::ConnectionReset));
        };
        if flow.connection.is_opening() {
            return None;
        }
        if let Some(error) = flow.connection.error() {
            return Some(Err(error::of_connection(error)));
        }
        self.totals.connected += 1;
        Some(Ok(()))
    }

    /// One stream less refers to a connection. When none is left, it is closed.
    pub(super) fn release(&mut self, key: usize) {
        let now = self.now();
        let Some(flow) = self.table.flow(key) else {
            return;
        };
        flow.handles -= 1;
        if flow.handles > 0 {
            return;
        }
        flow.owner = Owner::Nobody;
        if flow.connection.is_opening() {
            flow.connection.abort(fata_tcp::Error::Closed);
        }
        flow.connection.close();
        flow.connection.discard(&mut self.pool);
        match flow.connection.state() {
            // The rest of it stands elsewhere.
            TcpState::TimeWait => self.remove(key),
            TcpState::Closed if flow.connection.is_over() => self.remove(key),
            TcpState::Closed => flow.abort_at = Some(now + RESET_TIMEOUT),
            _ => {
                flow.abort_at = Some(now + CLOSE_TIMEOUT);
                flow.orphaned = Some(now);
                flow.reprieve = Some(Reprieve {
                    taken: flow.connection.snd_una(),
                    until: now + CLOSE_LIMIT,
                });
                let most = self.config.max_connections;
                self.orphans.push(key, now, &mut self.table, most);
            }
        }
    }

    /// Resets a connection that waits to be accepted, and lets it go.
    pub(super) fn reject(&mut self, key: usize) {
        let now = self.now();
        if let Some(flow) = self.table.flow(key) {
            flow.owner = Owner::Nobody;
            flow.abort_at = Some(now + RESET_TIMEOUT);
            flow.connection.abort(fata_tcp::Error::Closed);
            flow.connection.discard(&mut self.pool);
        }
    }

    /// Resets those connections whose local address is gone.
    pub(super) fn abort_homeless(&mut self) {
        let interface = &self.interface;
        let homeless = |tuple: &Tuple| !interface.has_ip_addr(tuple.local().addr);
        let entries = self.table.iter();
        let homeless: alloc::vec::Vec<usize> = entries
            .filter(|(_, entry)| homeless(&entry.tuple))
            .map(|(key, _)| key)
            .collect();
        for key in homeless {
            match self.table.flow(key) {
                Some(flow) => {
                    flow.connection.abort(fata_tcp::Error::AddressNotAvailable);
                    self.table.make_ready(key);
                }
                None => self.remove(key),
            }
        }
    }

    /// Has open connections send no longer segments than the network carries now.
    pub(super) fn shorten_connections(&mut self) {
        let now = self.now();
        let ipv4 = self.segment_size(Ipv4Addr::UNSPECIFIED.into());
        let ipv6 = self.segment_size(Ipv6Addr::UNSPECIFIED.into());
        for (tuple, flow) in self.table.wake_all() {
            let size = match tuple.local().addr {
                IpAddress::Ipv4(_) => ipv4,
                IpAddress::Ipv6(_) => ipv6,
            };
            flow.connection.reduce_mss(size.into(), now);
        }
    }

    // Time and sending

    /// Does what is due, and sends what is to be sent.
    pub(super) fn transmit_connections<N: Net>(
        &mut self,
        transmitter: &mut Transmitter<N>,
        now: Instant,
    ) {
        while let Some(key) = self.table.expire(now) {
            self.expire_connection(key, now);
        }
        while let Some(key) = self.table.next_ready() {
            if !self.transmit_connection(transmitter, key, now) {
                self.table.make_ready(key);
                return;
            }
        }
    }

    fn expire_connection(&mut self, key: usize, now: Instant) {
        let Some(entry) = self.table.get(key) else {
            return;
        };
        match &mut entry.state {
            State::HalfOpen(_) => self.expire_half_open(key, now),
            State::TimeWait(wait) => {
                let until = wait.until;
                if until <= now {
                    self.remove(key);
                    self.bound_time_wait(now);
                } else {
                    self.table.set_timer(key, until);
                }
            }
            State::Flow(flow) => {
                flow.connection.expire(now);
                flow.doubted |= flow.connection.is_unanswered(now);
                if flow.memory_at.is_some_and(|time| time <= now) {
                    flow.memory_at = None;
                    flow.connection.wake();
                }
                self.table.make_ready(key);
            }
        }
    }

    /// Sends what a connection has to send, and notes what has become of it. Returns whether
    /// there was room for it.
    fn transmit_connection<N: Net>(
        &mut self,
        transmitter: &mut Transmitter<N>,
        key: usize,
        now: Instant,
    ) -> bool {
        if !self.check_closing(key, now) {
            return self.transmit_half_open(transmitter, key);
        }
        let Some(hardware) = self.hardware_of(transmitter, key, now) else {
            return true;
        };
        let source = self.hardware;
        let Some(entry) = self.table.get(key) else {
            return true;
        };
        let path = Path {
            source,
            destination: hardware,
            tuple: entry.tuple,
        };
        let State::Flow(flow) = &mut entry.state else {
            return true;
        };
        let mut wire = Wire { transmitter, path };
        let has_sent = flow.connection.transmit(&mut wire, now);
        let deadline = flow.deadline();
        if has_sent && let Some(deadline) = deadline {
            self.table.set_timer(key, deadline);
        }
        // A last acknowledgement that finds no room is lost, as on the wire: the peer asks again,
        // which TIME-WAIT answers.
        self.settle_connection(key, now);
        has_sent
    }

    /// Resets a connection that takes too long to close, and removes one whose reset
    /// takes too long. Returns whether it is one, and still there.
    fn check_closing(&mut self, key: usize, now: Instant) -> bool {
        let Some(flow) = self.table.flow(key) else {
            return false;
        };
        if flow.abort_at.is_none_or(|time| time > now) {
            return true;
        }
        if flow.connection.state() == TcpState::Closed {
            self.remove(key);
            return false;
        }
        if !self.pool.is_scarce()
            && let Some(later) = more_time(flow, now)
        {
            flow.abort_at = Some(later);
            return true;
        }
        flow.abort_at = Some(now + RESET_TIMEOUT);
        flow.connection.abort(fata_tcp::Error::TimedOut);
        true
    }

    /// Lets a writer look again later, as there is no memory now.
    pub(super) fn wait_for_memory(&mut self, key: usize) {
        let now = self.now();
        self.make_room(now);
        let due = now + MEMORY_PAUSE;
        if let Some(flow) = self.table.flow(key) {
            flow.memory_at = Some(due);
            self.table.set_timer(key, due);
        }
    }
}

/// Until when a connection may go on closing whose time is up. None if its peer hardly takes
/// anything, or had long enough.
fn more_time(flow: &mut Flow, now: Instant) -> Option<Instant> {
    let taken = flow.connection.snd_una();
    let reprieve = flow.reprieve.as_mut()?;
    let later = reprieve.until.min(now + CLOSE_TIMEOUT);
    if later <= now || taken.since(reprieve.taken) < CLOSE_PROGRESS {
        return None;
    }
    reprieve.taken = taken;
    Some(later)
}
