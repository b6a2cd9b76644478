//! The network as other hosts see it: echoes, load generators, TCP and UDP services.

use crate::support::{BENCH_LISTENING, MICROVM, assert_serves, bench_guest};
use fata_ci::{
    Client, GUEST_IPV4, GUEST_IPV6, GUEST_LINK_LOCAL, Lab, Launch, Machine, PATIENCE, Platform,
    TAP, succeed,
};
use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream, UdpSocket};

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn every_machine_answers_ping() {
    for machine in Machine::ALL {
        let lab = Lab::enter();
        let _guest = bench_guest(&lab, Platform::Machine(machine), 64);
        for address in [
            GUEST_IPV4.to_string(),
            GUEST_IPV6.to_string(),
            format!("{GUEST_LINK_LOCAL}%{TAP}"),
        ] {
            // The first may wait for the neighbour's address; ten seconds are for a slow machine.
            succeed("ping", ["-c", "3", "-i", "0.2", "-W", "10", &address]);
        }
        // The largest that fits into one frame, and one that must be told from it.
        for size in ["1472", "0"] {
            succeed(
                "ping",
                ["-c", "1", "-W", "10", "-s", size, &GUEST_IPV4.to_string()],
            );
        }
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn pages_come_over_ipv6() {
    let lab = Lab::enter();
    let _guest = bench_guest(&lab, MICROVM, 64);
    assert_serves(IpAddr::V6(GUEST_IPV6));
    assert_serves(IpAddr::V4(GUEST_IPV4));
}

/// Runs wrk for two seconds; its report must not speak of errors.
fn wrk(address: IpAddr, connections: &str, options: &[&str]) {
    let url = format!("http://{address}/");
    let common = [
        "--threads=1",
        "--duration=2",
        "--timeout=30",
        "--connections",
    ];
    let arguments = [&common[..], &[connections], options, &[url.as_str()]].concat();
    let report = String::from_utf8(succeed("wrk", arguments)).expect("wrk writes text");
    let summary = report.lines().find(|line| line.contains(" requests in "));
    let summary = summary.unwrap_or_else(|| panic!("no summary:\n{report}"));
    assert!(!summary.trim_start().starts_with("0 "), "{report}");
    assert!(
        !report.contains("errors") && !report.contains("Non-2xx"),
        "{report}"
    );
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn load_makes_no_errors() {
    for platform in [MICROVM, Platform::Machine(Machine::Q35), Platform::Process] {
        let lab = Lab::enter();
        let (_program, address) = bench_guest(&lab, platform, 64);
        for connections in ["1", "16", "64"] {
            wrk(address, connections, &[]);
            wrk(address, connections, &["--header", "Connection: close"]);
        }
        assert_serves(address);
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn the_other_services_of_the_benchmark_work() {
    for platform in Platform::ALL {
        let lab = Lab::enter();
        let (_program, address) = bench_guest(&lab, platform, 64);
        sink_takes(address);
        source_gives(address);
        udp_comes_back(address);
    }
}

#[test]
#[ignore = "runs a process; ci/test runs it"]
fn the_services_of_the_benchmark_work_in_the_sandbox() {
    let lab = Lab::enter();
    let launch = Launch::new("bench-guest", Platform::Process).arguments(["--sandbox"]);
    let (program, address) = launch.start_in(&lab);
    program.wait_for(BENCH_LISTENING);
    for connections in ["16", "64"] {
        wrk(address, connections, &[]);
        wrk(address, connections, &["--header", "Connection: close"]);
    }
    sink_takes(address);
    source_gives(address);
    udp_comes_back(address);
    assert_serves(address);
}

fn connect(address: IpAddr, port: u16) -> TcpStream {
    let stream = TcpStream::connect((address, port)).expect("the guest accepts");
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a time-out can be set");
    stream
        .set_write_timeout(Some(PATIENCE))
        .expect("a time-out can be set");
    stream
}

fn sink_takes(address: IpAddr) {
    let mut stream = connect(address, 9);
    stream
        .write_all(&vec![7; 8 << 20])
        .expect("the sink takes all");
    stream
        .shutdown(std::net::Shutdown::Write)
        .expect("the connection can be closed");
    // The sink closes only when it has read everything.
    assert_eq!(stream.read(&mut [0]).expect("the sink closes"), 0);
}

fn source_gives(address: IpAddr) {
    let mut stream = connect(address, 19);
    let mut block = vec![0; 8 << 20];
    stream.read_exact(&mut block).expect("the source goes on");
}

fn udp_comes_back(address: IpAddr) {
    let any = if address.is_loopback() {
        "127.0.0.1:0"
    } else {
        "198.51.100.1:0"
    };
    let socket = UdpSocket::bind(any).expect("a socket can be bound");
    socket.connect((address, 7)).expect("an address can be set");
    socket
        .set_read_timeout(Some(PATIENCE))
        .expect("a time-out can be set");
    for size in [0, 1, 64, 1000, 1472] {
        let message = vec![size as u8; size];
        let mut answer = [0; 2048];
        socket.send(&message).expect("a datagram can be sent");
        let length = socket.recv(&mut answer).expect("the datagram comes back");
        assert!(
            answer[..length] == message,
            "{size} bytes came back as {length}"
        );
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn bench_guest_serves_with_four_mebibytes() {
    let lab = Lab::enter();
    let (program, address) = bench_guest(&lab, MICROVM, 4);
    (0..100).for_each(|_| assert_serves(address));
    assert!(program.text().contains(BENCH_LISTENING));
}

#[test]
#[ignore = "runs a process; ci/test runs it"]
fn a_process_writes_its_frames_down() {
    let _lab = Lab::enter();
    let file = std::env::temp_dir().join(format!("fata-{}.pcap", std::process::id()));
    let path = file.to_str().expect("a path of letters");
    let arguments = [
        format!("--net=tap={TAP}"),
        format!("--ipv4={GUEST_IPV4}/24"),
        format!("--pcap={path}"),
        "--stats=1".to_owned(),
    ];
    let program = Launch::new("bench-guest", Platform::Process)
        .arguments(arguments)
        .start();
    program.wait_for(BENCH_LISTENING);
    assert_serves(IpAddr::V4(GUEST_IPV4));
    let figures = Client::connect(IpAddr::V4(GUEST_IPV4), 80)
        .and_then(|mut client| client.get("/metrics"))
        .expect("the figures come");
    let figures = String::from_utf8(figures.body).expect("they are text");
    assert!(figures.contains("\ntcp_accepted_total 2\n"), "{figures}");
    program.wait_for("buffers ");
    drop(program);
    let capture = std::fs::read(&file).expect("the file is there");
    std::fs::remove_file(&file).expect("it can be removed");
    // Nanoseconds, little-endian.
    assert_eq!(capture[..4], [0x4d, 0x3c, 0xb2, 0xa1]);
    let has = |text: &[u8]| capture.windows(text.len()).any(|window| window == text);
    assert!(has(b"GET / HTTP/1.1") && has(b"Hello, World!"));
}
