//! iperf3's datagrams: what opens a stream, and what is in those that count.

use crate::pace::Pace;
use crate::protocol::{Counts, Parameters, Refusal};
use crate::streams::Streams;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::Cell;
use core::net::{IpAddr, SocketAddr};
use fata_net::UdpSocket;
use fata_task::{Handle, yield_now};
use fata_time::Instant;

/// The longest datagram over IPv4.
const LONGEST: usize = 65_507;
/// A time in seconds and microseconds, and a number of at most eight bytes.
const HEADER: usize = 16;
/// Bytes of the datagram that a client sends to open a stream.
const GREETING: usize = 4;

/// Waits until `count` streams are opened from `host`, in this order.
pub async fn join(
    socket: &impl UdpSocket,
    host: IpAddr,
    count: usize,
) -> Result<Vec<SocketAddr>, Refusal> {
    let (mut peers, mut buffer) = (Vec::new(), [0; GREETING + 1]);
    while peers.len() < count {
        let (length, peer) = socket.receive_from(&mut buffer).await?;
        if length != GREETING || peer.ip() != host {
            continue;
        }
        if !peers.contains(&peer) {
            peers.push(peer);
        }
        // The number 0x36373839 is answered with 0x39383736, in the client's order of bytes.
        let mut answer = buffer;
        answer[..GREETING].reverse();
        socket.send_to(&answer[..GREETING], peer).await?;
    }
    Ok(peers)
}

/// Sends and receives datagrams.
pub fn carry(
    tasks: &Handle,
    socket: impl UdpSocket + 'static,
    peers: Vec<SocketAddr>,
    parameters: &Parameters,
) -> Streams {
    let (socket, mut incoming) = (Rc::new(socket), Vec::new());
    let numbers = Numbers {
        are_long: parameters.udp_counters_64bit != 0,
    };
    let pace = Pace::new(tasks.now(), parameters.bandwidth);
    let length = parameters.block().clamp(HEADER, LONGEST);
    let mut streams = Streams::default();
    for (peer, sends) in peers.into_iter().zip(parameters.streams()) {
        let counts = streams.add();
        if !sends {
            incoming.push(Incoming::new(peer, counts));
            continue;
        }
        let (handle, socket) = (tasks.clone(), Rc::clone(&socket));
        streams.spawn(tasks, async move {
            send(&handle, &*socket, peer, (length, numbers), pace, &counts).await;
        });
    }
    let handle = tasks.clone();
    streams.spawn(tasks, async move {
        receive(&handle, &*socket, incoming, numbers).await;
    });
    streams
}

/// How datagrams are numbered: with 64 bits or with 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Numbers {
    are_long: bool,
}

impl Numbers {
    /// When a datagram was sent by its sender's clock, in microseconds, and its number.
    fn read(self, datagram: &[u8]) -> Option<(u64, u64)> {
        let word = |at: usize| {
            let bytes = datagram.get(at..)?.first_chunk()?;
            Some(u64::from(u32::from_be_bytes(*bytes)))
        };
        let number = match self.are_long {
            true => word(8)? << 32 | word(12)?,
            false => word(8)?,
        };
        Some((word(0)? * 1_000_000 + word(4)?, number))
    }

    /// Writes the header of a datagram, which has room for it.
    fn write(self, datagram: &mut [u8], now: Instant, number: u64) {
        let micros = now.as_micros();
        datagram[..4].copy_from_slice(&((micros / 1_000_000) as u32).to_be_bytes());
        datagram[4..8].copy_from_slice(&((micros % 1_000_000) as u32).to_be_bytes());
        match self.are_long {
            true => datagram[8..16].copy_from_slice(&number.to_be_bytes()),
            false => datagram[8..12].copy_from_slice(&(number as u32).to_be_bytes()),
        }
    }
}

/// One stream of datagrams from a client.
struct Incoming {
    peer: SocketAddr,
    counts: Rc<Cell<Counts>>,
    /// How long the last one was under way, by two clocks that have nothing to do with each other.
    transit: Option<i64>,
}

impl Incoming {
    fn new(peer: SocketAddr, counts: Rc<Cell<Counts>>) -> Self {
        Self {
            peer,
            counts,
            transit: None,
        }
    }

    /// Counts a datagram, as iperf3 does: a gap in the numbers is a loss, until what is late
    /// comes. The jitter is RFC 3550's (section 6.4.1).
    fn take(&mut self, length: usize, sent: u64, number: u64, now: Instant) {
        let mut counts = self.counts.get();
        counts.bytes += length as u64;
        if number > counts.packets {
            counts.errors += number - counts.packets - 1;
            counts.packets = number;
        } else {
            counts.errors = counts.errors.saturating_sub(1);
        }
        let transit = (now.as_micros() as i64).wrapping_sub(sent as i64);
        let before = self.transit.replace(transit).unwrap_or(transit);
        let change = transit.abs_diff(before) as f64 / 1e6;
        counts.jitter += (change - counts.jitter) / 16.0;
        self.counts.set(counts);
    }
}

/// Receives all streams' datagrams.
async fn receive(
    tasks: &Handle,
    socket: &impl UdpSocket,
    mut streams: Vec<Incoming>,
    numbers: Numbers,
) {
    let mut buffer = vec![0; LONGEST];
    while let Ok((length, peer)) = socket.receive_from(&mut buffer).await {
        let stream = streams.iter_mut().find(|stream| stream.peer == peer);
        if let (Some(stream), Some((sent, number))) = (stream, numbers.read(&buffer[..length])) {
            stream.take(length, sent, number, tasks.now());
        }
        // The control connection is heard in between.
        yield_now().await;
    }
}

/// Sends datagrams of `length` bytes to a client.
async fn send(
    tasks: &Handle,
    socket: &impl UdpSocket,
    peer: SocketAddr,
    (length, numbers): (usize, Numbers),
    mut pace: Pace,
    counts: &Cell<Counts>,
) {
    let mut datagram = vec![0; length];
    loop {
        pace.wait(tasks).await;
        let number = counts.get().packets + 1;
        numbers.write(&mut datagram, tasks.now(), number);
        if let Err(error) = socket.send_to(&datagram, peer).await {
            log::warn!("no more datagrams of {length} bytes: {error}");
            return;
        }
        pace.add(datagram.len());
        counts.update(|counts| Counts {
            bytes: counts.bytes + datagram.len() as u64,
            packets: number,
            ..counts
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(core::net::Ipv4Addr::LOCALHOST), 1);

    #[test]
    fn headers_come_back() {
        let now = Instant::default() + Duration::from_micros(7_000_123);
        for (are_long, number) in [(true, 1 << 40), (false, 1 << 31)] {
            let (numbers, mut datagram) = (Numbers { are_long }, [0xff; HEADER]);
            numbers.write(&mut datagram, now, number);
            assert_eq!(numbers.read(&datagram), Some((7_000_123, number)));
            assert_eq!(numbers.read(&datagram[..11]), None);
        }
    }

    #[test]
    fn losses_late_datagrams_and_jitter_are_counted() {
        let counts = Rc::<Cell<Counts>>::default();
        let mut stream = Incoming::new(PEER, Rc::clone(&counts));
        // Every 10 ms; the fourth takes 1.6 ms longer.
        for (number, late) in [(1, 0), (2, 0), (5, 0), (4, 1_600), (6, 1_600)] {
            let sent = number * 10_000;
            let arrival = Duration::from_micros(sent + 500 + late);
            stream.take(100, sent, number, Instant::default() + arrival);
        }
        let counts = counts.get();
        assert_eq!((counts.bytes, counts.packets, counts.errors), (500, 6, 1));
        let expected = 0.0016 / 16.0 * (15.0 / 16.0);
        assert!((counts.jitter - expected).abs() < 1e-9, "{}", counts.jitter);
    }
}
