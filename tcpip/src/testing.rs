//! A whole stack, and a peer on its link that does what bytes say.

extern crate std;

use crate::{Config, Ipv4Config, Ipv6Config, TcpIp};
use embedded_io_async::{Read, Write};
use fata_net::testing::Script;
use fata_net::{
    Link, Net, Offload, Offloads, PartialChecksum, Stack, TcpListener, TcpStream, UdpSocket,
};
use fata_task::{Handle, simulate};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::prelude::v1::*;
use std::time::Duration;
use std::vec;

const STACK: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const PEER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const PORT: u16 = 7;
/// Bytes that all connections may hold.
const MEMORY: usize = 64 * 1024;
const CONNECTIONS: usize = 8;
const BACKLOG: usize = 4;
/// Places in an Ethernet frame with an IPv4 header without options.
const IP: usize = 14;
const TCP: usize = IP + 20;

/// Lets a peer do what the bytes say: the stack must not panic, stays within its bounds, and
/// still accepts a connection in the end.
pub fn stack(bytes: &[u8]) {
    let mut script = Script(bytes);
    simulate(|tasks| async move {
        let (mut device, mut link) = Link::pair(256);
        // The device vouches for what the peer leaves to it, so that no checksum has to fit.
        for end in [&mut device, &mut link] {
            end.set_offloads(Offloads {
                checksum: true,
                tcp_ipv4: true,
                tcp_ipv6: true,
            });
        }
        let stack = TcpIp::start(&tasks, device, config(script.byte()), 1);
        serve(&tasks, &stack).await;
        let mut peer = Peer::new(link);
        for _ in 0..200 {
            if script.0.is_empty() {
                break;
            }
            peer.act(&mut script, &tasks).await;
            let statistics = stack.statistics();
            assert!(statistics.half_open <= BACKLOG);
            assert!(statistics.open + statistics.waiting + statistics.closing <= CONNECTIONS);
            let udp_buffers = 2 * Config::default().udp_buffer;
            assert!(statistics.buffer_bytes <= MEMORY + udp_buffers);
        }
        // Connections that the peer has opened are given up by then.
        tasks.sleep(Duration::from_secs(600)).await;
        peer.drain();
        peer.assert_is_served(&tasks).await;
    });
}

fn config(choice: u8) -> Config {
    Config {
        ipv4: Ipv4Config::Static {
            address: STACK,
            prefix: 24,
            gateway: None,
        },
        ipv6: match choice % 2 {
            0 => Ipv6Config::Auto,
            _ => Ipv6Config::Static {
                address: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1),
                prefix: 64,
                gateway: None,
            },
        },
        max_connections: CONNECTIONS,
        backlog: BACKLOG,
        max_time_wait: 2,
        receive_buffer: 16 * 1024,
        transmit_buffer: 16 * 1024,
        buffer_memory: MEMORY,
        ..Config::default()
    }
}

/// Echoes TCP and UDP.
async fn serve(tasks: &Handle, stack: &TcpIp) {
    let all = (Ipv6Addr::UNSPECIFIED, PORT).into();
    let listener = stack.listen(all).await.expect("the port is free");
    let socket = stack.bind(all).await.expect("the port is free");
    let spawner = tasks.clone();
    tasks.spawn(async move {
        while let Ok(mut stream) = listener.accept().await {
            let timer = spawner.clone();
            spawner.spawn(async move {
                let mut buffer = [0; 900];
                while let Ok(Ok(count @ 1..)) = timer
                    .timeout(Duration::from_secs(30), stream.read(&mut buffer))
                    .await
                {
                    let written = stream.write_all(&buffer[..count]);
                    if timer.timeout(Duration::from_secs(30), written).await != Ok(Ok(())) {
                        return stream.abort();
                    }
                }
            });
        }
    });
    tasks.spawn(async move {
        let mut buffer = [0; 2_000];
        while let Ok((count, sender)) = socket.receive_from(&mut buffer).await {
            let _ = socket.send_to(&buffer[..count], sender).await;
        }
    });
}

struct Peer {
    link: Link,
    /// For each of a few ports, the numbers that the stack expects and has sent.
    numbers: [(u32, u32); 4],
}

impl Peer {
    fn new(link: Link) -> Self {
        Self {
            link,
            numbers: [(1_000, 0); 4],
        }
    }

    async fn act(&mut self, script: &mut Script<'_>, tasks: &Handle) {
        match script.byte() % 8 {
            0 => {
                let kind = [[8, 0], [8, 6], [0x86, 0xdd], [0, 0]][usize::from(script.byte() % 4)];
                let count = usize::from(script.byte());
                let body = script.bytes(count);
                self.send(kind, &body, Offload::None);
            }
            1..=4 => self.segment(script),
            5 => self.datagram(script),
            6 => self.message(script),
            _ => {
                tasks
                    .sleep(Duration::from_millis(script.word().into()))
                    .await
            }
        }
        self.link.flush();
        tasks.sleep(Duration::from_micros(10)).await;
        self.drain();
    }

    fn send(&mut self, kind: [u8; 2], body: &[u8], offload: Offload) {
        let header = [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2][..], &kind].concat();
        let frame = [&header, body].concat();
        let _ = self.link.transmit_offloaded(frame.len(), |place| {
            place.copy_from_slice(&frame);
            ((), offload)
        });
    }

    /// Sends an IPv4 packet whose transport checksum is vouched for.
    fn packet(&mut self, protocol: u8, payload: &[u8], checksum_offset: u16) {
        let length = (20 + payload.len()) as u16;
        let [high, low] = length.to_be_bytes();
        let mut packet = vec![0x45, 0, high, low, 0, 0, 0, 0, 64, protocol, 0, 0];
        packet.extend(PEER.octets());
        packet.extend(STACK.octets());
        let sum: u32 = packet
            .as_chunks()
            .0
            .iter()
            .map(|word| u32::from(u16::from_be_bytes(*word)))
            .sum();
        let folded = (sum & 0xffff) + (sum >> 16);
        packet[10..12].copy_from_slice(&(!(folded as u16)).to_be_bytes());
        packet.extend(payload);
        let checksum = PartialChecksum {
            start: TCP as u16,
            offset: checksum_offset,
        };
        self.send([8, 0], &packet, Offload::Checksum(checksum));
    }

    fn segment(&mut self, script: &mut Script<'_>) {
        let index = usize::from(script.byte() % 4);
        let (expected, sent) = self.numbers[index];
        // Mostly what a connection goes through.
        let flags = match script.byte() {
            byte @ ..64 => [2, 16, 24, 17][usize::from(byte % 4)],
            byte => byte,
        };
        let sequence = expected.wrapping_add(script.offset());
        let acknowledged = sent.wrapping_add(script.offset());
        let options = usize::from(script.byte() % 11);
        let mut segment = (40_000 + index as u16).to_be_bytes().to_vec();
        segment.extend(PORT.to_be_bytes());
        segment.extend(sequence.to_be_bytes());
        segment.extend(acknowledged.to_be_bytes());
        segment.extend([(5 + options as u8) << 4, flags]);
        segment.extend(script.word().to_be_bytes());
        segment.extend([0, 0, 0, 0]);
        segment.extend(script.bytes(options * 4));
        let length = usize::from(script.word() % 1_400);
        segment.extend(vec![b'x'; if length % 3 == 0 { 0 } else { length }]);
        self.packet(6, &segment, 16);
    }

    fn datagram(&mut self, script: &mut Script<'_>) {
        let port = [PORT, 67, 68, 53, script.word()][usize::from(script.byte() % 5)];
        let count = usize::from(script.byte());
        let payload = script.bytes(count);
        let mut datagram = [script.word().to_be_bytes(), port.to_be_bytes()].concat();
        datagram.extend(((8 + count) as u16).to_be_bytes());
        datagram.extend([0, 0]);
        datagram.extend(payload);
        self.packet(17, &datagram, 6);
    }

    /// Sends an ICMPv6 message with a right checksum.
    fn message(&mut self, script: &mut Script<'_>) {
        let kind = [134, 135, 136, 130, 1, 2, 128, script.byte()][usize::from(script.byte() % 8)];
        let count = usize::from(script.byte() % 120);
        let mut message = vec![kind, 0, 0, 0];
        message.extend(script.bytes(count));
        let source = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
        let target = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
        let length = (message.len() as u16).to_be_bytes();
        let pseudo = [
            &source.octets()[..],
            &target.octets(),
            &[0, 0],
            &length,
            &[0, 0, 0, 58],
        ];
        let mut sum = 0u32;
        for part in pseudo.into_iter().chain([&message[..]]) {
            for word in part.chunks(2) {
                sum += u32::from(u16::from_be_bytes([
                    word[0],
                    word.get(1).copied().unwrap_or(0),
                ]));
            }
        }
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        message[2..4].copy_from_slice(&(!(sum as u16)).to_be_bytes());
        let header = [
            &[0x60, 0, 0, 0][..],
            &length,
            &[58, 255],
            &source.octets(),
            &target.octets(),
        ];
        let packet = [header.concat(), message].concat();
        self.send([0x86, 0xdd], &packet, Offload::None);
    }

    /// Reads what the stack has sent, and learns its numbers.
    fn drain(&mut self) {
        while let Some(frame) = self.link.receive() {
            let bytes: &[u8] = frame.as_ref();
            let is_tcp = bytes.get(12..14) == Some(&[8, 0]) && bytes.get(IP + 9) == Some(&6);
            if is_tcp && let Some(header) = bytes.get(TCP..TCP + 20) {
                let number = |place: usize| {
                    let bytes = header[place..].first_chunk().expect("four bytes");
                    u32::from_be_bytes(*bytes)
                };
                let port = u16::from_be_bytes([header[2], header[3]]);
                let data = bytes.len() - TCP - usize::from(header[12] >> 4) * 4;
                let controls = u32::from(header[13] & 1) + u32::from(header[13] >> 1 & 1);
                if let Some(numbers) = self.numbers.get_mut(usize::from(port.wrapping_sub(40_000)))
                {
                    *numbers = (number(8), number(4).wrapping_add(data as u32 + controls));
                }
            }
            self.link.recycle(frame);
        }
    }

    /// Opens a connection, and has a byte echoed.
    async fn assert_is_served(&mut self, tasks: &Handle) {
        self.numbers[3] = (7_000, 0);
        let port = 40_003u16.to_be_bytes();
        let segment = |numbers: (u32, u32), flags: u8, payload: &[u8]| {
            let mut segment = port.to_vec();
            segment.extend(PORT.to_be_bytes());
            segment.extend(numbers.0.to_be_bytes());
            segment.extend(numbers.1.to_be_bytes());
            segment.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
            segment.extend(payload);
            segment
        };
        for (flags, payload) in [(2, &b""[..]), (16, b""), (24, b"?")] {
            self.packet(6, &segment(self.numbers[3], flags, payload), 16);
            self.link.flush();
            tasks.sleep(Duration::from_millis(50)).await;
            self.drain();
        }
        // SYN, the byte; and the same of the stack.
        assert_eq!(self.numbers[3].0, 7_002);
    }
}
