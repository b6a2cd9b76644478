//! The example iperf3 beside the real client.

use crate::support::MICROVM;
use fata_ci::{Lab, Launch, Platform, Program, succeed};
use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};

fn start(lab: &Lab, platform: Platform) -> (Program, IpAddr) {
    let (program, address) = Launch::new("iperf3", platform).start_in(lab);
    program.wait_for("serving on port");
    (program, address)
}

/// Runs a test with the real client. Returns its output.
fn run(address: IpAddr, options: &[&str]) -> String {
    let address = address.to_string();
    let common = ["--client", &address, "--json"];
    let text = succeed("iperf3", [&common[..], options].concat());
    String::from_utf8(text).expect("iperf3 prints text")
}

/// The same of a test of TCP, of a second.
fn measure(address: IpAddr, options: &[&str]) -> String {
    run(address, &[&["--time", "1"], options].concat())
}

/// The same of a test of UDP, of 300 datagrams of each stream.
fn measure_datagrams(address: IpAddr, options: &[&str]) -> String {
    let common = ["--udp", "--bitrate", "8M", "--length", "1000", "--bytes"];
    run(address, &[&common, options].concat())
}

/// The number behind a name, its last one.
fn last_number(text: &str, name: &str) -> f64 {
    let (_, rest) = text
        .rsplit_once(&format!("\"{name}\":"))
        .expect("the name is there");
    let end = rest.find([',', '\n', '}']).expect("it ends");
    rest[..end].trim().parse().expect("a number")
}

fn assert_measures(platform: Platform) {
    let lab = Lab::enter();
    let (program, address) = start(&lab, platform);
    for options in [
        &[][..],
        &["--reverse"],
        &["--parallel", "4"],
        &["--reverse", "--parallel", "3"],
        &["--bidir"],
        &["--omit", "1", "--bitrate", "80M", "--reverse"],
    ] {
        let text = measure(address, options);
        let (_, sums) = text.split_once("\"sum_received\"").expect("a sum");
        let bytes = last_number(&sums[..sums.find('}').expect("it ends")], "bytes");
        assert!(bytes > 1e6, "{options:?}: {text}");
        program.wait_for("is done");
    }
    assert_measures_datagrams(address);
    assert_refuses(&program, address);
    // And it goes on.
    measure(address, &[]);
}

/// Tests of UDP, at a rate that is kept to in both directions. A machine under load may be late,
/// and lose some.
fn assert_measures_datagrams(address: IpAddr) {
    const RATE: f64 = 8e6;
    for options in [
        &["300K"][..],
        &["300K", "--reverse"],
        &["600K", "--parallel", "2"],
        &["600K", "--parallel", "2", "--reverse"],
    ] {
        let text = measure_datagrams(address, options);
        let streams = if options.contains(&"--parallel") {
            2.0
        } else {
            1.0
        };
        let (_, sum) = text.rsplit_once("\"sum\"").expect("a sum");
        let number = |name| last_number(&sum[..sum.find('}').expect("it ends")], name);
        let rate = number("bits_per_second") / streams;
        assert!(
            (0.3 * RATE..1.3 * RATE).contains(&rate),
            "{options:?}: {text}"
        );
        let (packets, lost) = (number("packets"), number("lost_packets"));
        assert!(
            packets >= 200.0 && lost < packets / 2.0,
            "{options:?}: {text}"
        );
        assert!(
            (0.0..100.0).contains(&number("jitter_ms")),
            "{options:?}: {text}"
        );
    }
    let text = measure_datagrams(address, &["600K", "--bidir"]);
    for name in ["\"sum\"", "\"sum_bidir_reverse\""] {
        let (_, sum) = text.rsplit_once(name).expect("a sum of each direction");
        let packets = last_number(&sum[..sum.find('}').expect("it ends")], "packets");
        assert!(packets > 100.0, "{name}: {text}");
    }
}

/// The server refuses what it has not got in a way that the client can explain.
fn assert_refuses(program: &Program, address: IpAddr) {
    let mut control = TcpStream::connect((address, 5201)).expect("it listens");
    let parameters = br#"{"sctp":true,"parallel":1}"#;
    let mut answer = Vec::new();
    control.write_all(&[b'a'; 37]).expect("it reads");
    let length = (parameters.len() as u32).to_be_bytes();
    control
        .write_all(&[&length[..], parameters].concat())
        .expect("it reads");
    control.read_to_end(&mut answer).expect("the server speaks");
    assert_eq!(answer, [9, 0xfe, 0, 0, 0, 13, 0, 0, 0, 0]);
    program.wait_for("use TCP or UDP");
}

/// Something else that connects, as to see whether the port is open, does not end a test.
#[test]
#[ignore = "runs a process; ci/test runs it"]
fn a_test_survives_stray_connections() {
    let lab = Lab::enter();
    let (_program, address) = start(&lab, Platform::Process);
    let connect = || TcpStream::connect((address, 5201)).expect("it listens");
    let cookie = *b"abcdefghijklmnopqrstuvwxyz0123456789\0";
    let parameters = br#"{"tcp":true,"parallel":2,"len":1000}"#;
    let expect = |stream: &mut TcpStream, states: &[u8]| {
        let mut heard = vec![0; states.len()];
        stream.read_exact(&mut heard).expect("the server speaks");
        assert_eq!(heard, states);
    };
    let mut control = connect();
    control.write_all(&cookie).expect("it reads");
    expect(&mut control, &[9]);
    let length = (parameters.len() as u32).to_be_bytes();
    control.write_all(&length).expect("it reads");
    control.write_all(parameters).expect("it reads");
    expect(&mut control, &[10]);
    let _data = [(); 2].map(|()| {
        drop(connect());
        let mut other = connect();
        other.write_all(&[0; 37]).expect("it reads");
        expect(&mut other, &[0xff]);
        let mut data = connect();
        data.write_all(&cookie).expect("it reads");
        data
    });
    expect(&mut control, &[1, 2]);
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn iperf3_measures_a_microvm() {
    assert_measures(MICROVM);
}

#[test]
#[ignore = "runs a process; ci/test runs it"]
fn iperf3_measures_a_process() {
    assert_measures(Platform::Process);
}
