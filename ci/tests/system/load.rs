//! Many connections, greedy and lazy ones: bounded memory, others are served.

use crate::support::{BENCH_LISTENING, MICROVM, assert_serves, bench_guest, heap_used, warm_up};
use fata_ci::{Client, Lab, Launch, PATIENCE, Platform, RawSender, need_descriptors};
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::thread;
use std::time::{Duration, Instant};

/// More than tables that have grown may keep, and less than a few bytes for each connection.
const SLACK: usize = 32 * 1024;

/// The bytes by which the NIC's buffers grow when more comes or goes at once than ever
/// before: 128 of a frame for sending, and a large one in which to merge frames.
const NIC_GROWTH: usize = 128 * 1536 + 64 * 1024;

/// The bytes that the tables of tasks, timers and connections keep after a thousand connections.
const TABLES: usize = 1000 * 192;

/// The bytes of half-open connections, no more than 1,024, in tables that double.
const HALF_OPEN: usize = 2048 * 128;

/// Enough for a thousand connections and all that comes with them.
const MEMORY: u32 = 128;

/// Waits until the heap is as it was before, but for [`SLACK`].
#[track_caller]
fn assert_memory_returns(address: IpAddr, before: usize) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = heap_used(address);
        if now <= before + SLACK {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{before} bytes before, {now} bytes a minute after"
        );
        thread::sleep(Duration::from_secs(1));
    }
}

/// A thousand clients connect, are served, and stay while others are served; then all leave.
fn hold_a_thousand_connections(address: IpAddr) {
    let before = heap_used(address);
    let mut idle: Vec<Client> = (0..1000)
        .map(|_| Client::connect(address, 80).expect("the server accepts"))
        .collect();
    for client in &mut idle {
        assert_eq!(client.get("/").expect("the server answers").status, 200);
    }
    let during = heap_used(address);
    assert!(
        during > before + SLACK,
        "a thousand connections must take memory"
    );
    (0..20).for_each(|_| assert_serves(address));
    for client in &mut idle {
        assert_eq!(client.get("/").expect("the server answers").status, 200);
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_thousand_idle_connections_leave_nothing_behind() {
    for platform in [MICROVM, Platform::Process] {
        let lab = Lab::enter();
        let (_program, address) = bench_guest(&lab, platform, MEMORY);
        let fresh = heap_used(address);
        for _ in 0..4 {
            hold_a_thousand_connections(address);
            assert_memory_returns(address, fresh + NIC_GROWTH + TABLES);
        }
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn twenty_thousand_short_connections_leak_nothing() {
    for platform in [MICROVM, Platform::Process] {
        let lab = Lab::enter();
        let (_program, address) = bench_guest(&lab, platform, MEMORY);
        warm_up(address);
        let before = heap_used(address);
        for number in 0..20_000 {
            let close = if number % 2 == 0 {
                ""
            } else {
                "Connection: close\r\n"
            };
            let mut client = Client::connect(address, 80)
                .unwrap_or_else(|error| panic!("connection {number}: {error}"));
            let response = client.request("GET", "/", close);
            let response = response.unwrap_or_else(|error| panic!("request {number}: {error}"));
            assert_eq!(response.status, 200, "request {number}");
        }
        assert_memory_returns(address, before);
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn sixteen_clients_that_open_and_close_are_all_served() {
    for platform in [MICROVM, Platform::Process] {
        let lab = Lab::enter();
        let (_program, address) = bench_guest(&lab, platform, MEMORY);
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| (0..200).for_each(|_| assert_serves(address)));
            }
        });
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn others_are_served_during_a_flood_of_syns() {
    let lab = Lab::enter();
    let (_guest, address) = bench_guest(&lab, MICROVM, MEMORY);
    warm_up(address);
    let before = heap_used(address);
    let flood = RawSender::open();
    for round in 0..20u32 {
        for number in 0..50_000u32 {
            // From hosts of this network that do not answer, and from far away.
            let place = round * 50_000 + number;
            let local = Ipv4Addr::new(198, 51, 100, 10 + (place % 240) as u8);
            let far = Ipv4Addr::from_bits(0xcb00_7100 | (place % 251));
            let host = if number % 2 == 0 { local } else { far };
            let source = SocketAddrV4::new(host, (place % 64_000) as u16 + 1_024);
            // A full queue drops packets, as it does in a flood.
            let _ = flood.syn(source, 80, place);
        }
        assert_serves(address);
    }
    let after = heap_used(address);
    assert!(
        after < before + HALF_OPEN,
        "{before} bytes before, {after} bytes after"
    );
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn ten_thousand_idle_connections_fit_into_64_mebibytes() {
    need_descriptors(11_000);
    let lab = Lab::enter();
    let (guest, address) = Launch::new("bench-guest", MICROVM)
        .memory(64)
        .arguments(["--max-connections=10100"])
        .start_in(&lab);
    guest.wait_for(BENCH_LISTENING);
    let mut idle = Vec::new();
    for number in 0..10_000 {
        let mut client = Client::connect(address, 80)
            .unwrap_or_else(|error| panic!("connection {number}: {error}"));
        let response = client.get("/");
        let response = response.unwrap_or_else(|error| panic!("request {number}: {error}"));
        assert_eq!(response.status, 200);
        idle.push(client);
    }
    (0..20).for_each(|_| assert_serves(address));
    for client in &mut idle {
        assert_eq!(client.get("/").expect("it is still there").status, 200);
    }
}

/// Clients of the source of bytes, and some with requests, none of which read.
fn never_read(address: IpAddr) -> Vec<Client> {
    let mut lazy: Vec<Client> = (0..16)
        .map(|_| Client::connect(address, 19).expect("the server accepts"))
        .collect();
    let requests = b"GET / HTTP/1.1\r\nHost: guest\r\n\r\n".repeat(500);
    for _ in 0..16 {
        let mut client = Client::connect(address, 80).expect("the server accepts");
        client
            .send(&requests)
            .expect("the server reads on, or the network keeps it");
        lazy.push(client);
    }
    lazy
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn others_are_served_while_clients_never_read() {
    let lab = Lab::enter();
    let (_guest, address) = bench_guest(&lab, MICROVM, 64);
    warm_up(address);
    // The first bulk data lets the NIC allocate large buffers, which it keeps.
    drop(never_read(address));
    thread::sleep(Duration::from_secs(1));
    let before = heap_used(address);
    let lazy = never_read(address);
    (0..200).for_each(|_| assert_serves(address));
    let during = heap_used(address);
    assert!(
        during < before + (24 << 20),
        "{before} bytes before, {during} bytes during"
    );
    drop(lazy);
    assert_memory_returns(address, before);
}
