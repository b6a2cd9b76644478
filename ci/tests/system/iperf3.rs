//! The example iperf3 beside the real client.

use crate::support::MICROVM;
use fata_ci::{Home, Lab, Launch, Program, run, succeed};
use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};

fn start(lab: &Lab, home: Home) -> (Program, IpAddr) {
    let (program, address) = Launch::new("iperf3", home).start_in(lab);
    program.wait_for("serving on port");
    (program, address)
}

/// What the real client prints of a test of half a second.
fn measure(address: IpAddr, options: &[&str]) -> String {
    let address = address.to_string();
    let common = ["--client", &address, "--time", "1", "--json"];
    let text = succeed("iperf3", [&common[..], options].concat());
    String::from_utf8(text).expect("iperf3 prints text")
}

/// The number behind a name, its last one.
fn last_number(text: &str, name: &str) -> f64 {
    let (_, rest) = text
        .rsplit_once(&format!("\"{name}\":"))
        .expect("the name is there");
    let end = rest.find([',', '\n', '}']).expect("it ends");
    rest[..end].trim().parse().expect("a number")
}

fn assert_measures(home: Home) {
    let lab = Lab::enter();
    let (program, address) = start(&lab, home);
    for options in [
        &[][..],
        &["--reverse"],
        &["--parallel", "4"],
        &["--reverse", "--parallel", "3"],
    ] {
        let text = measure(address, options);
        let (_, sums) = text.split_once("\"sum_received\"").expect("a sum");
        let bytes = last_number(&sums[..sums.find('}').expect("it ends")], "bytes");
        assert!(bytes > 1e6, "{options:?}: {text}");
        program.wait_for("is done");
    }
    let refused = run(
        "iperf3",
        ["--client", &address.to_string(), "--udp", "--time", "1"],
    );
    assert!(!refused.status.success());
    program.wait_for("use TCP");
    // And it goes on.
    measure(address, &[]);
}

/// Something else that connects, as to see whether the port is open, does not end a test.
#[test]
#[ignore = "runs a process; ci/test runs it"]
fn a_test_survives_stray_connections() {
    let lab = Lab::enter();
    let (_program, address) = start(&lab, Home::Process);
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
    assert_measures(Home::Process);
}
