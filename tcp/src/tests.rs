//! Two ends of a connection over a path that loses, repeats and reorders segments, under a
//! fake clock: what arrives is what was sent, and both ends come to an end.

extern crate std;

mod blind;
mod opening;
mod plpmtud;
mod repair;
mod solo;
mod states;

use super::handshake::{SynReceived, Verdict};
use super::*;
use core::time::Duration;
use fata_time::Instant;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::vec;
use std::vec::Vec;

const MSS: u16 = 1_000;
const RTT: Duration = Duration::from_millis(20);

/// The effects of the path on segments, in thousandths.
#[derive(Clone, Copy, Debug, Default)]
struct Path {
    loss: u64,
    repetition: u64,
    delay: u64,
    /// Which of the first segments are lost, one bit for each.
    first_lost: u8,
    /// The longest payload that gets through, if there is a limit.
    longest: Option<usize>,
    /// Options that SYNs lose on the path.
    without_sack: bool,
    without_scaling: bool,
}

/// A small generator for what happens on the path.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn happens(&mut self, thousandths: u64) -> bool {
        self.next() % 1_000 < thousandths
    }
}

/// Segments on their way, by the time when they arrive.
#[derive(Default)]
struct Wire(BTreeMap<(Instant, u64), Vec<u8>>);

struct Out<'a> {
    wire: &'a mut Wire,
    path: Path,
    random: &'a mut Random,
    now: Instant,
    pieces: u32,
    serial: &'a mut u64,
}

impl Out<'_> {
    fn put(&mut self, bytes: Vec<u8>) {
        *self.serial += 1;
        let bit = 1u8.checked_shl(*self.serial as u32 - 1).unwrap_or(0);
        if self.path.first_lost & bit != 0 || self.random.happens(self.path.loss) {
            return;
        }
        let late = if self.random.happens(self.path.delay) {
            self.random.next() % 60
        } else {
            0
        };
        let at = self.now + RTT / 2 + Duration::from_millis(late);
        self.wire.0.insert((at, *self.serial), bytes);
    }
}

impl Transmit for Out<'_> {
    fn max_payload(&self, size: u32) -> u32 {
        size * self.pieces
    }

    fn send(&mut self, header: &Header, payload: (&[u8], &[u8]), size: u32) -> bool {
        let payload = [payload.0, payload.1].concat();
        let count = if size == 0 {
            1
        } else {
            payload.len().div_ceil(size as usize).max(1)
        };
        for index in 0..count {
            let start = index * size as usize;
            let end = if index + 1 == count {
                payload.len()
            } else {
                start + size as usize
            };
            let mut header = *header;
            header.sequence_number = header.sequence_number + start as u32;
            if let Options::Syn {
                window_scale,
                sack_permitted,
                ..
            } = &mut header.options
            {
                *window_scale = window_scale.filter(|_| !self.path.without_scaling);
                *sack_permitted &= !self.path.without_sack;
            }
            if index + 1 < count {
                header.flags.0 &= !(Flags::FIN.0 | Flags::PSH.0);
            }
            if self
                .path
                .longest
                .is_some_and(|longest| end - start > longest)
            {
                continue;
            }
            let mut bytes = vec![0; header.length()];
            header.encode(1, 2, &mut bytes);
            bytes.extend(&payload[start..end]);
            if self.random.happens(self.path.repetition) {
                self.put(bytes.clone());
            }
            self.put(bytes);
        }
        true
    }
}

/// One end.
struct End {
    connection: Option<Connection>,
    syn_received: Option<SynReceived>,
    pool: Pool,
    incoming: Wire,
    to_send: Vec<u8>,
    sent: usize,
    received: Vec<u8>,
    /// The end stays open when everything is sent.
    stays: bool,
    /// Bytes that are read at a time, 0 for all.
    gulp: usize,
}

fn settings() -> Settings {
    Settings {
        receive_buffer: 256 * 1024,
        send_buffer: 256 * 1024,
        keep_alive: Duration::from_secs(60),
        // RTOs grow to a minute. Within this, chance does not lose each of the tries.
        user_timeout: Duration::from_secs(900),
    }
}

struct World {
    ends: [End; 2],
    now: Instant,
    random: Random,
    path: Path,
    pieces: u32,
    serial: u64,
}

impl World {
    fn new(seed: u64, path: Path, pieces: u32, data: [Vec<u8>; 2], gulps: [usize; 2]) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        let [first, second] = data;
        let end = |to_send, gulp| End {
            connection: None,
            syn_received: None,
            pool: Pool::new(crate::Unlimited, 4 << 20),
            incoming: Wire::default(),
            to_send,
            sent: 0,
            stays: false,
            received: Vec::new(),
            gulp,
        };
        let mut ends = [end(first, gulps[0]), end(second, gulps[1])];
        let start = Sequence(u32::MAX - 5_000);
        ends[0].connection = Some(Connection::connecting(start, MSS, settings(), now));
        Self {
            ends,
            now,
            random: Random(seed),
            path,
            pieces,
            serial: 0,
        }
    }

    /// Lets an end send. Its segments arrive at the other one.
    fn transmit(&mut self, index: usize, header: Option<Header>) {
        // A handshake that fails is another story.
        let client = self.ends[0].connection.as_ref();
        let is_open = client.is_some_and(|connection| !connection.is_opening());
        let mut path = self.path;
        if !is_open {
            (path.loss, path.repetition, path.delay) = (0, 0, 0);
        }
        let [first, second] = &mut self.ends;
        let (own, other) = if index == 0 {
            (first, second)
        } else {
            (second, first)
        };
        let mut out = Out {
            wire: &mut other.incoming,
            path,
            random: &mut self.random,
            now: self.now,
            pieces: self.pieces,
            serial: &mut self.serial,
        };
        if let Some(header) = header {
            out.send(&header, (&[], &[]), 0);
        } else if let Some(connection) = &mut own.connection {
            assert!(connection.transmit(&mut out, self.now));
        }
    }

    fn receive(&mut self, index: usize, bytes: &[u8]) {
        let segment = Segment::parse(bytes).expect("it was made here");
        let end = &mut self.ends[index];
        if let Some(connection) = &mut end.connection {
            return connection.receive(&segment, &mut end.pool, self.now);
        }
        let Some(syn_received) = end.syn_received else {
            if segment.flags.opens() {
                let syn_received = SynReceived::new(&segment, Sequence(77), self.now);
                end.syn_received = Some(syn_received);
                self.transmit(
                    index,
                    Some(syn_received.syn_ack(MSS, settings().receive_buffer)),
                );
            }
            return;
        };
        match syn_received.judge(&segment) {
            Verdict::Establish => {
                let mut connection = Connection::accepted(
                    syn_received.negotiated(self.now),
                    MSS,
                    segment.window,
                    settings(),
                    self.now,
                );
                connection.receive(&segment, &mut end.pool, self.now);
                end.connection = Some(connection);
            }
            Verdict::SendSynAck => self.transmit(
                index,
                Some(syn_received.syn_ack(MSS, settings().receive_buffer)),
            ),
            Verdict::Forget | Verdict::SendReset | Verdict::Ignore => {}
        }
    }

    /// Lets the application of an end act.
    fn act(&mut self, index: usize) {
        let end = &mut self.ends[index];
        let Some(connection) = &mut end.connection else {
            return;
        };
        if connection.is_opening() {
            return;
        }
        let mut buffer = vec![0; if end.gulp == 0 { 1 << 20 } else { end.gulp }];
        let (count, _) = connection.read(&mut buffer, &mut end.pool);
        end.received.extend(&buffer[..count]);
        if connection.is_writable() {
            for piece in end.to_send[end.sent..].chunks(7_777) {
                let count = connection.write(piece, &mut end.pool);
                end.sent += count;
                if count < piece.len() {
                    break;
                }
            }
            if end.sent == end.to_send.len() && !end.stays {
                connection.close();
            }
        }
    }

    fn is_over(&self) -> bool {
        self.ends.iter().all(|end| {
            end.connection
                .as_ref()
                .is_some_and(|connection| connection.has_ended() && connection.readable() == 0)
        })
    }

    /// Moves on to the next thing that happens. Returns false if nothing ever does.
    fn step(&mut self) -> bool {
        for index in 0..2 {
            self.act(index);
            self.transmit(index, None);
            self.act(index);
        }
        let arrivals = self
            .ends
            .iter()
            .filter_map(|end| end.incoming.0.keys().next().map(|key| key.0));
        let timers = self
            .ends
            .iter()
            .filter_map(|end| end.connection.as_ref()?.deadline());
        let handshakes = self
            .ends
            .iter()
            .filter(|end| end.connection.is_none())
            .filter_map(|end| Some(end.syn_received?.deadline()));
        // Applications act at least so often.
        let tick = self.now + Duration::from_millis(5);
        let busy = self.ends.iter().any(|end| {
            end.connection.as_ref().is_some_and(|connection| {
                connection.readable() > 0
                    || (connection.is_writable() && end.sent < end.to_send.len())
            })
        });
        let next = arrivals
            .chain(timers)
            .chain(handshakes)
            .chain(busy.then_some(tick))
            .min();
        let Some(next) = next else {
            return false;
        };
        self.now = self.now.max(next);
        for index in 0..2 {
            while let Some(entry) = self.ends[index].incoming.0.first_entry() {
                if entry.key().0 > self.now {
                    break;
                }
                let bytes = entry.remove();
                self.receive(index, &bytes);
            }
            let end = &mut self.ends[index];
            if let Some(connection) = &mut end.connection {
                if connection.deadline().is_some_and(|due| due <= self.now) {
                    connection.expire(self.now);
                }
            } else if let Some(syn_received) = &mut end.syn_received
                && syn_received.deadline() <= self.now
                && syn_received.expire(self.now)
            {
                let header = syn_received.syn_ack(MSS, settings().receive_buffer);
                self.transmit(index, Some(header));
            }
        }
        true
    }

    /// Runs for a while.
    fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            assert!(self.step(), "nothing will ever happen");
        }
    }

    /// Runs until both ends are done. Returns how long that took.
    fn run(&mut self) -> Duration {
        let start = self.now;
        for _ in 0..2_000_000 {
            if self.is_over() {
                return self.now - start;
            }
            assert!(self.step() || self.is_over(), "nothing will ever happen");
        }
        panic!("it takes for ever");
    }
}

fn pattern(length: usize, salt: u8) -> Vec<u8> {
    (0..length)
        .map(|index| (index * 31 % 251) as u8 ^ salt)
        .collect()
}

/// Exchanges data. Returns how long it took, and how many segments were sent again.
fn exchange(
    seed: u64,
    path: Path,
    pieces: u32,
    lengths: [usize; 2],
    gulps: [usize; 2],
) -> (Duration, u64) {
    let data = [pattern(lengths[0], 1), pattern(lengths[1], 2)];
    let mut world = World::new(seed, path, pieces, data.clone(), gulps);
    let took = world.run();
    let [first, second] = &mut world.ends;
    let error = |end: &End| end.connection.as_ref().and_then(Connection::error);
    assert_eq!((error(first), error(second)), (None, None));
    assert!(
        first.received == data[1] && second.received == data[0],
        "bytes are wrong"
    );
    let mut again = 0;
    for end in [first, second] {
        let connection = end.connection.as_mut().expect("it was there");
        again += connection.counts.retransmitted;
        connection.release(&mut end.pool);
        assert_eq!(end.pool.used(), 0);
    }
    (took, again)
}

#[test]
fn a_clean_path_needs_nothing_twice() {
    for pieces in [1, 40] {
        let (took, again) = exchange(1, Path::default(), pieces, [3_000_000, 0], [0, 0]);
        assert_eq!(again, 0);
        // The window is open after a few round trips, and 256 KB fit into each.
        assert!(took < Duration::from_millis(700), "{took:?}");
    }
}

#[test]
fn losses_cost_round_trips_and_not_time_outs() {
    let path = Path {
        loss: 10,
        ..Path::default()
    };
    let (took, again) = exchange(3, path, 1, [3_000_000, 0], [0, 0]);
    assert!((20..100).contains(&again), "{again}");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn reordering_alone_sends_little_again() {
    let path = Path {
        delay: 10,
        ..Path::default()
    };
    let (_, again) = exchange(3, path, 1, [3_000_000, 0], [0, 0]);
    assert!(again < 200, "{again}");
}

#[test]
fn a_reader_that_is_slow_closes_the_window_and_opens_it_again() {
    let (took, again) = exchange(5, Path::default(), 40, [1_000_000, 0], [0, 1_000]);
    assert_eq!(again, 0);
    assert!(took < Duration::from_secs(20), "{took:?}");
}

proptest! {
    // More, if PROPTEST_CASES says so.
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(500)))]

    #[test]
    fn what_arrives_is_what_was_sent(
        seed: u64,
        loss in prop_oneof![Just(0u64), 1u64..150],
        repetition in prop_oneof![Just(0u64), 1u64..200],
        delay in prop_oneof![Just(0u64), 1u64..500],
        first_lost in prop_oneof![Just(0u8), 1u8..16],
        longest in prop_oneof![Just(None), (536usize..1_000).prop_map(Some)],
        without_sack: bool,
        without_scaling: bool,
        pieces in prop_oneof![Just(1u32), 2u32..64],
        one in 0usize..120_000,
        other in 0usize..60_000,
        gulps in (prop_oneof![Just(0usize), 500usize..9_000], prop_oneof![Just(0usize), 500usize..9_000]),
    ) {
        let path = Path {
            loss,
            repetition,
            delay,
            first_lost,
            longest,
            without_sack,
            without_scaling,
        };
        exchange(seed, path, pieces, [one, other], [gulps.0, gulps.1]);
    }
}
