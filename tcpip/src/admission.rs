//! Treatment of segments: those of connections, those that open one, and others.
//!
//! A half-open connection is a few dozen bytes. While all places for them are taken, a SYN
//! is answered with a cookie, and nothing is kept of it: so a flood of SYNs costs no
//! memory, and honest clients among it are served.

use super::cookie::Cookie;
use super::engine::Engine;
use super::frame::{ETHERNET, Tuple};
use super::handshakes::MOST_HALF_OPEN;
use super::phy::Transmitter;
use super::table::{Flow, HalfOpen, Owner, State};
use super::wire::{Path, Wire};
use alloc::collections::VecDeque;
use core::time::Duration;
use fata_net::Net;
use fata_tcp::{
    Connection, Flags, Header, Negotiated, PeerOptions, Segment, Sequence, SynReceived, Transmit,
    Verdict,
};
use fata_time::Instant;
use smoltcp::wire::EthernetAddress;

/// How long cookies may come back after the last was sent.
const COOKIE_LIFE: Duration = Duration::from_secs(128);
/// How far the numbers of a connection in TIME-WAIT have to be passed by the next one.
const TIME_WAIT_GAP: u32 = 1 << 16;

/// Answers with cookies that wait for room in the device. One more is dropped.
const MOST_COOKIES: usize = 256;

/// A segment, and where it came from.
struct Arrival<'a> {
    segment: Segment<'a>,
    tuple: Tuple,
    hardware: EthernetAddress,
    now: Instant,
}

impl Engine {
    /// Takes in a segment, which is a part of a frame.
    pub(super) fn receive_segment<N: Net>(
        &mut self,
        transmitter: &mut Transmitter<N>,
        frame: &[u8],
        (start, end): (usize, usize),
        tuple: Tuple,
        now: Instant,
    ) {
        let segment = frame.get(start..end).and_then(Segment::parse);
        let source = frame.get(6..ETHERNET - 2).map(EthernetAddress::from_bytes);
        let (Some(segment), Some(hardware)) = (segment, source) else {
            self.totals.dropped_frames += 1;
            return;
        };
        let arrival = Arrival {
            segment,
            tuple,
            hardware,
            now,
        };
        let Some(key) = self.table.find(&tuple) else {
            return self.receive_stranger(transmitter, &arrival, None);
        };
        let Some(entry) = self.table.get(key) else {
            return;
        };
        match &mut entry.state {
            // Nobody reads it yet: what memory is left is for those that somebody reads.
            State::Flow(flow)
                if matches!(flow.owner, Owner::Waiting(_))
                    && !segment.payload.is_empty()
                    && self.pool.is_scarce() =>
            {
                self.totals.dropped_frames += 1;
            }
            State::Flow(flow) => {
                let before = (flow.connection.snd_una(), flow.connection.rcv_nxt());
                flow.connection.receive(&segment, &mut self.pool, now);
                // Others than the peer, which may lie about where it is, hardly get that far.
                if (flow.connection.snd_una(), flow.connection.rcv_nxt()) != before {
                    (flow.hardware, flow.doubted) = (Some(hardware), false);
                }
                if flow.connection.has_ended() {
                    self.finish(transmitter, key, now);
                } else {
                    self.table.make_ready(key);
                }
            }
            State::HalfOpen(_) => self.receive_half_open(transmitter, key, &arrival),
            State::TimeWait(_) => self.receive_late(transmitter, key, &arrival),
        }
    }

    /// Sends a segment back to a stranger. Where the device is crowded it is lost, as on the wire:
    /// what room is left is for connections.
    fn reply_to_stranger<N: Net>(
        &mut self,
        transmitter: &mut Transmitter<N>,
        arrival: &Arrival<'_>,
        header: &Header,
    ) {
        if !transmitter.device.is_crowded() {
            self.reply(transmitter, arrival.tuple, arrival.hardware, header);
        }
    }

    /// Sends a segment back to where another one came from. Returns whether there was room.
    fn reply<N: Net>(
        &mut self,
        transmitter: &mut Transmitter<N>,
        tuple: Tuple,
        destination: EthernetAddress,
        header: &Header,
    ) -> bool {
        let path = Path {
            source: self.hardware,
            destination,
            tuple,
        };
        Wire { transmitter, path }.send(header, (&[], &[]), 0)
    }

    /// A segment that belongs to no connection. A new one has to begin at `least`, if that
    /// is given.
    fn receive_stranger<N: Net>(
        &mut self,
        transmitter: &mut Transmitter<N>,
        arrival: &Arrival<'_>,
        least: Option<Sequence>,
    ) {
        let local = arrival.tuple.local();
        // Groups are not answered.
        if !self.interface.has_ip_addr(local.addr) {
            self.totals.dropped_frames += 1;
            return;
        }
        let flags = arrival.segment.flags;
        if let Some(listener) = self.tcp_ports.lookup(local) {
            if flags.opens() {
                return self.admit(listener, arrival, least);
            }
            if !flags.has(Flags::RST)
                && !flags.has(Flags::SYN)
                && flags.has(Flags::ACK)
                && self.receive_cookie(listener, arrival)
            {
                return;
            }
        }
        if let Some(header) = Header::reset_for(&arrival.segment) {
            self.totals.refused_segments += 1;
            self.reply_to_stranger(transmitter, arrival, &header);
        }
    }

    /// Places for half-open connections, and for those that wait to be accepted, of each
    /// listener.
    fn places(&self) -> usize {
        self.config.backlog.max(1)
    }

    /// Answers a SYN, once the device has room for that.
    fn admit(&mut self, listener: usize, arrival: &Arrival<'_>, least: Option<Sequence>) {
        let places = self.places();
        self.make_room(arrival.now);
        // Without a place for the connection the answer is on its way while others make room: a
        // peer that hears nothing asks again after a second.
        self.is_short |= !self.has_place();
        let can_grow = self.table.can_grow();
        let Some(backlog) = self.listeners.get_mut(listener) else {
            return;
        };
        if backlog.waiting.len() >= places || !can_grow {
            return self.turn_away();
        }
        if backlog.half_open >= places.min(MOST_HALF_OPEN) {
            return self.answer_with_cookie(arrival);
        }
        backlog.half_open += 1;
        let Arrival {
            segment,
            tuple,
            hardware,
            now,
        } = *arrival;
        let mut initial = self.secret.iss(&tuple, now);
        if let Some(least) = least {
            initial = initial.max(least + TIME_WAIT_GAP);
        }
        let syn_received = SynReceived::new(&segment, initial, now);
        let state = State::HalfOpen(HalfOpen {
            syn_received,
            listener,
            hardware,
            window: None,
        });
        let key = self.table.insert(tuple, state);
        self.table.set_timer(key, syn_received.deadline());
        self.table.make_ready(key);
    }

    fn answer_of(&self, syn_received: &SynReceived, tuple: Tuple) -> Header {
        syn_received.syn_ack(
            self.segment_size(tuple.local().addr),
            self.settings.receive_buffer,
        )
    }

    fn answer_with_cookie(&mut self, arrival: &Arrival<'_>) {
        let Arrival {
            segment,
            tuple,
            hardware,
            now,
        } = *arrival;
        if self.cookies.len() >= MOST_COOKIES {
            self.totals.dropped_syns += 1;
            return;
        }
        self.totals.cookies += 1;
        self.cookies_until = now + COOKIE_LIFE;
        let size = PeerOptions::new(&segment).maximum_segment_size;
        self.cookies.push_back(Cookie {
            iss: self
                .secret
                .syn_cookie(&tuple, segment.sequence_number, size, now),
            irs: segment.sequence_number,
            tuple,
            hardware,
        });
    }

    /// Sends the cookies that wait, as far as connections leave room for that.
    pub(super) fn transmit_cookies<N: Net>(&mut self, transmitter: &mut Transmitter<N>) {
        if self.cookies.is_empty() {
            return;
        }
        while !transmitter.device.is_crowded() {
            let Some(cookie) = self.cookies.pop_front() else {
                // A flood may be over.
                self.cookies = VecDeque::new();
                return;
            };
            let Cookie { iss, irs, .. } = cookie;
            let own = self.segment_size(cookie.tuple.local().addr);
            let window = self.settings.receive_buffer;
            let header = fata_tcp::syn_ack(iss, irs, own, window, None, false);
            self.reply(transmitter, cookie.tuple, cookie.hardware, &header);
        }
    }

    /// Opens a connection if a segment brings a cookie back. Returns whether it does.
    fn receive_cookie(&mut self, listener: usize, arrival: &Arrival<'_>) -> bool {
        let Arrival {
            segment,
            tuple,
            now,
            ..
        } = *arrival;
        if self.cookies_until <= now {
            return false;
        }
        let (iss, irs) = (
            segment.acknowledgment_number - 1,
            segment.sequence_number - 1,
        );
        let size = self.secret.open_syn_cookie(&tuple, irs, iss, now);
        let Some(size) = size else {
            return false;
        };
        if self.handshakes.is_empty() && self.can_wait(listener) {
            let negotiated = Negotiated {
                iss,
                irs,
                peer: PeerOptions::mss_only(size),
                rtt: None,
            };
            let connection = self.accept(negotiated, arrival);
            let (tuple, hardware) = (arrival.tuple, arrival.hardware);
            self.establish(listener, connection, (tuple, hardware), None);
        } else {
            self.turn_away();
        }
        true
    }

    /// Somebody finds no place.
    fn turn_away(&mut self) {
        self.totals.dropped_syns += 1;
        self.is_short = true;
    }

    /// Tells whether one more connection may wait to be accepted.
    pub(super) fn can_wait(&mut self, listener: usize) -> bool {
        let places = self.places();
        let backlog = self.listeners.get_mut(listener);
        backlog.is_some_and(|backlog| {
            let waiting = &mut backlog.waiting;
            waiting.len() < places && waiting.try_reserve(1).is_ok()
        }) && self.has_room()
    }

    /// The connection of a handshake that a segment completes.
    fn accept(&mut self, negotiated: Negotiated, arrival: &Arrival<'_>) -> Connection {
        let Arrival {
            segment,
            tuple,
            now,
            ..
        } = *arrival;
        let own = self.segment_size(tuple.local().addr);
        let mut connection =
            Connection::accepted(negotiated, own, segment.window, self.settings, now);
        if segment.payload.is_empty() || !self.pool.is_scarce() {
            connection.receive(&segment, &mut self.pool, now);
        }
        connection
    }

    /// Lets a connection wait to be accepted, with its tuple and where its peer is.
    pub(super) fn establish(
        &mut self,
        listener: usize,
        connection: Connection,
        (tuple, hardware): (Tuple, EthernetAddress),
        half_open: Option<usize>,
    ) {
        let flow = Flow::new(connection, Owner::Waiting(listener), Some(hardware));
        let key = match half_open {
            Some(key) => {
                self.table.replace(key, State::Flow(flow));
                key
            }
            None => self.table.insert(tuple, State::Flow(flow)),
        };
        self.totals.accepted += 1;
        if let Some(backlog) = self.listeners.get_mut(listener) {
            backlog.half_open -= usize::from(half_open.is_some());
            backlog.push(key);
        }
        self.table.make_ready(key);
    }

    fn receive_half_open<N: Net>(
        &mut self,
        transmitter: &mut Transmitter<N>,
        key: usize,
        arrival: &Arrival<'_>,
    ) {
        let Some(State::HalfOpen(half_open)) = self.table.get(key).map(|entry| &entry.state) else {
            return;
        };
        let (syn_received, listener) = (half_open.syn_received, half_open.listener);
        match syn_received.judge(&arrival.segment) {
            Verdict::Establish => {
                if self.handshakes.is_empty() && self.can_wait(listener) {
                    let connection = self.accept(syn_received.negotiated(arrival.now), arrival);
                    let (tuple, hardware) = (arrival.tuple, arrival.hardware);
                    self.establish(listener, connection, (tuple, hardware), Some(key));
                } else {
                    self.turn_away();
                    self.queue_handshake(key, arrival.segment.window);
                }
            }
            Verdict::SendSynAck => drop(self.table.make_ready(key)),
            Verdict::Forget => self.remove(key),
            Verdict::SendReset => {
                if let Some(header) = Header::reset_for(&arrival.segment) {
                    self.reply_to_stranger(transmitter, arrival, &header);
                }
            }
            Verdict::Ignore => {}
        }
    }

    /// Has a SYN answered again whose answer was not acknowledged, or forgets it.
    pub(super) fn expire_half_open(&mut self, key: usize, now: Instant) {
        let Some(State::HalfOpen(half_open)) = self.table.get(key).map(|entry| &mut entry.state)
        else {
            return;
        };
        if !half_open.syn_received.expire(now) {
            self.totals.expired_half_open += 1;
            return self.remove(key);
        }
        let deadline = half_open.syn_received.deadline();
        self.table.set_timer(key, deadline);
        self.table.make_ready(key);
    }

    /// Answers the SYN of a half-open connection. Returns whether there was room for that.
    pub(super) fn transmit_half_open<N: Net>(
        &mut self,
        transmitter: &mut Transmitter<N>,
        key: usize,
    ) -> bool {
        let Some(entry) = self.table.get(key) else {
            return true;
        };
        let tuple = entry.tuple;
        let State::HalfOpen(half_open) = &entry.state else {
            return true;
        };
        let (syn_received, hardware) = (half_open.syn_received, half_open.hardware);
        let header = self.answer_of(&syn_received, tuple);
        self.reply(transmitter, tuple, hardware, &header)
    }

    /// Forgets the half-open connections of a listener that is gone.
    pub(super) fn forget_half_open(&mut self, listener: usize) {
        let entries = self.table.iter();
        let keys: alloc::vec::Vec<usize> = entries
            .filter(|(_, entry)| {
                matches!(&entry.state, State::HalfOpen(half_open) if half_open.listener == listener)
            })
            .map(|(key, _)| key)
            .collect();
        for key in keys {
            self.remove(key);
        }
    }

    /// A segment to a connection in TIME-WAIT.
    fn receive_late<N: Net>(
        &mut self,
        transmitter: &mut Transmitter<N>,
        key: usize,
        arrival: &Arrival<'_>,
    ) {
        let Some(State::TimeWait(wait)) = self.table.get(key).map(|entry| &entry.state) else {
            return;
        };
        let (snd_nxt, rcv_nxt) = wait.numbers;
        let segment = &arrival.segment;
        // RFC 9293, section 3.6.1: a new connection, if its numbers are new.
        if segment.flags.opens() && segment.sequence_number > rcv_nxt {
            self.remove(key);
            return self.receive_stranger(transmitter, arrival, Some(snd_nxt));
        }
        if segment.flags.has(Flags::RST) {
            // The peer has a new connection in mind, and was told of the old one.
            if segment.sequence_number == rcv_nxt {
                self.remove(key);
            }
            return;
        }
        if segment.end() == segment.sequence_number {
            return;
        }
        let header = Header {
            sequence_number: snd_nxt,
            acknowledgment_number: rcv_nxt,
            flags: Flags::ACK,
            window: 0,
            options: fata_tcp::Options::None,
        };
        self.reply(transmitter, arrival.tuple, arrival.hardware, &header);
    }
}
