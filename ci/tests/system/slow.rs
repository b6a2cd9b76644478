//! Clients that take their time: thousands that never finish a request, and some that hardly
//! read. Others are served meanwhile, and memory stays bounded.

use crate::support::{BENCH_LISTENING, MICROVM, bench_guest, heap_used, warm_up};
use fata_ci::{Client, Lab, Launch, PATIENCE, Platform, need_descriptors};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const CLIENTS: usize = 5_000;
/// Bytes that each of them sends, a second apart: a head may take ten seconds.
const ROUNDS: usize = 12;
/// The same where heads have to make room after one.
const ROUNDS_WITHOUT_ROOM: usize = 5;
/// Bytes of the heap for each client that never finishes: connection, task and a kilobyte of head.
const MOST_PER_CLIENT: usize = 8 * 1024;
/// Bytes of the heap for each client that hardly reads: a full buffer for transmission.
const MOST_PER_READER: usize = 1 << 20;
/// A second, and as much as a machine under load may take longer.
const SOON: Duration = Duration::from_secs(5);

/// A request's head that goes on, byte by byte.
struct Slow {
    stream: TcpStream,
    sent: usize,
}

impl Slow {
    /// Begins to connect: a server that is full may let it wait.
    #[track_caller]
    fn connect(address: IpAddr) -> Self {
        let address = SocketAddr::new(address, 80);
        let family = if address.is_ipv4() {
            AddressFamily::INET
        } else {
            AddressFamily::INET6
        };
        let socket = socket_with(family, SocketType::STREAM, SocketFlags::NONBLOCK, None);
        let socket = socket.expect("there are sockets");
        let begun = connect(&socket, &address);
        assert!(
            matches!(begun, Ok(()) | Err(Errno::INPROGRESS)),
            "{begun:?}"
        );
        let stream = socket.into();
        Self { stream, sent: 0 }
    }

    /// Sends one byte more. Tells whether the server still listens.
    fn go_on(&mut self) -> bool {
        const BEGIN: &[u8] = b"GET / HTTP/1.1\r\nHost: guest\r\nX: ";
        let byte = BEGIN.get(self.sent).copied().unwrap_or(b'y');
        let waits = |error: std::io::Error| error.kind() == ErrorKind::WouldBlock;
        match self.stream.write(&[byte]) {
            Ok(_) => self.sent += 1,
            Err(error) => return waits(error),
        }
        self.stream.read(&mut [0]).is_err_and(waits)
    }
}

/// Gets a page on a connection of its own, and asserts that it comes soon.
#[track_caller]
fn assert_serves_soon(address: IpAddr) {
    let start = Instant::now();
    let mut client = Client::connect(address, 80).expect("the server accepts");
    let response = client.get("/").expect("the server answers");
    let took = start.elapsed();
    assert_eq!(response.status, 200);
    assert!(took < SOON, "it took {took:?}");
}

/// Thousands of clients send their heads byte by byte, and connect again when they are refused.
/// Between the bytes others are served, and `check` is called.
#[track_caller]
fn beside_slow_heads(address: IpAddr, rounds: usize, check: impl Fn()) {
    let mut slow: Vec<Slow> = (0..CLIENTS).map(|_| Slow::connect(address)).collect();
    let mut refused = 0;
    for _ in 0..rounds {
        for client in &mut slow {
            if !client.go_on() {
                refused += 1;
                *client = Slow::connect(address);
            }
        }
        assert_serves_soon(address);
        check();
        std::thread::sleep(Duration::from_secs(1));
    }
    assert!(refused > 0, "nobody was refused");
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn others_are_served_beside_five_thousand_slow_heads() {
    for platform in [MICROVM, Platform::Process] {
        need_descriptors(2 * CLIENTS as u64 + 1_000);
        let lab = Lab::enter();
        let (mut program, address) = Launch::new("bench-guest", platform)
            .memory(128)
            .arguments(["--max-connections=10100"])
            .start_in(&lab);
        program.wait_for(BENCH_LISTENING);
        warm_up(address);
        let before = heap_used(address);
        beside_slow_heads(address, ROUNDS, || {
            let during = heap_used(address);
            let most = before + CLIENTS * MOST_PER_CLIENT;
            assert!(
                during < most,
                "{before} bytes before, {during} bytes during"
            );
        });
        assert!(program.is_running());
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn slow_heads_make_room_at_the_default_limits() {
    for platform in [MICROVM, Platform::Process] {
        need_descriptors(2 * CLIENTS as u64 + 1_000);
        let lab = Lab::enter();
        let (mut program, address) = Launch::new("site", platform).memory(128).start_in(&lab);
        program.wait_for("listening");
        beside_slow_heads(address, ROUNDS_WITHOUT_ROOM, || {});
        assert!(program.is_running());
    }
}

/// Clients of the source of bytes, and of a row of pages.
fn slow_readers(address: IpAddr) -> Vec<(TcpStream, u8)> {
    let connect = |port, first| {
        let stream = TcpStream::connect((address, port)).expect("the server accepts");
        let set = stream.set_read_timeout(Some(PATIENCE));
        set.expect("a time-out can be set");
        (stream, first)
    };
    let mut readers: Vec<_> = (0..8).map(|_| connect(19, b'x')).collect();
    let requests = b"GET / HTTP/1.1\r\nHost: guest\r\n\r\n".repeat(500);
    for _ in 0..8 {
        let (mut stream, first) = connect(80, b'H');
        let sent = stream.write_all(&requests);
        sent.expect("the server reads on, or the network keeps it");
        readers.push((stream, first));
    }
    readers
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn others_are_served_while_clients_read_a_byte_a_second() {
    for platform in [MICROVM, Platform::Process] {
        let lab = Lab::enter();
        let (_program, address) = bench_guest(&lab, platform, 64);
        warm_up(address);
        let before = heap_used(address);
        let mut readers = slow_readers(address);
        for round in 0..12 {
            for (stream, first) in &mut readers {
                let mut byte = [0];
                stream.read_exact(&mut byte).expect("there is more");
                assert!(round > 0 || byte == [*first]);
            }
            (0..10).for_each(|_| assert_serves_soon(address));
            let during = heap_used(address);
            let most = before + readers.len() * MOST_PER_READER;
            assert!(
                during < most,
                "{before} bytes before, {during} bytes during"
            );
            std::thread::sleep(Duration::from_secs(1));
        }
    }
}
