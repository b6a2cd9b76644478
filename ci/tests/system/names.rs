//! Names that are resolved by a DNS server of the test's own.

use crate::support::MICROVM;
use fata_ci::{Ending, GATEWAY, Lab, Launch, Platform, Program, succeed};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::thread;

/// Bytes of a DNS header (RFC 1035, section 4.1.1).
const HEADER: usize = 12;

/// Answers every question for `ok.test` and `long.test`, the latter only over TCP, with
/// `203.0.113.7` or `2001:db8::7` for 300 seconds; other names do not exist. It ends with the
/// test's process.
fn start_server() {
    let datagrams = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 53)).expect("the port is free");
    let streams = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 53)).expect("the port is free");
    thread::spawn(move || {
        let mut question = [0; 1_500];
        while let Ok((length, client)) = datagrams.recv_from(&mut question) {
            if let Some(answer) = answer(&question[..length], true) {
                let _ = datagrams.send_to(&answer, client);
            }
        }
    });
    thread::spawn(move || {
        for stream in streams.incoming() {
            let mut stream = stream.expect("accepting goes on");
            let mut length = [0; 2];
            stream.read_exact(&mut length).expect("a length");
            let mut question = vec![0; u16::from_be_bytes(length).into()];
            stream.read_exact(&mut question).expect("a question");
            if let Some(answer) = answer(&question, false) {
                let length = u16::try_from(answer.len()).expect("it is short");
                let message = [&length.to_be_bytes()[..], &answer].concat();
                stream.write_all(&message).expect("the client waits");
            }
        }
    });
}

/// The answer to one question, which is repeated in it.
fn answer(question: &[u8], over_udp: bool) -> Option<Vec<u8>> {
    let names = question.get(HEADER..)?;
    let end = HEADER + names.iter().position(|byte| *byte == 0)? + 5;
    let name = String::from_utf8_lossy(&question[HEADER..end - 5]).to_lowercase();
    let exists = name.contains("\u{2}ok\u{4}test") || name.contains("\u{4}long\u{4}test");
    let truncated = over_udp && name.contains("long");
    let has_answer = exists && !truncated;
    let address: &[u8] = match question.get(end - 4..end - 2)? {
        [0, 1] => &[203, 0, 113, 7],
        [0, 28] => &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7],
        _ => return None,
    };
    let mut message = question[..2].to_vec();
    message.extend([
        0x81 | u8::from(truncated) << 1,
        if exists { 0x80 } else { 0x83 },
    ]);
    message.extend([0, 1, 0, u8::from(has_answer), 0, 0, 0, 0]);
    message.extend(&question[HEADER..end]);
    if has_answer {
        message.extend([0xc0, 12, question[end - 4], question[end - 3], 0, 1]);
        message.extend(300u32.to_be_bytes());
        message.extend([0, u8::try_from(address.len()).ok()?]);
        message.extend(address);
    }
    Some(message)
}

fn resolve(lab: &Lab, platform: Platform, name: &str) -> Program {
    let server = match platform {
        Platform::Process => IpAddr::V4(Ipv4Addr::LOCALHOST),
        Platform::Machine(_) => IpAddr::V4(GATEWAY),
    };
    let launch = Launch::new("resolve", platform);
    let launch = launch.arguments([format!("--name={name}"), format!("--dns={server}")]);
    launch.start_in(lab).0
}

fn assert_resolves(platform: Platform) {
    let lab = Lab::enter();
    start_server();
    for name in ["ok.test", "long.test"] {
        let text = resolve(&lab, platform, name).wait_success();
        for address in ["203.0.113.7", "2001:db8::7"] {
            assert!(
                text.contains(&format!("{name} is {address} for ")),
                "{text}"
            );
        }
    }
    let (ending, text) = resolve(&lab, platform, "no.test").wait();
    assert_eq!(ending, Ending::Status(1), "{text}");
    assert!(text.contains("does not exist"), "{text}");
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_microvm_resolves_names_over_udp_and_tcp() {
    assert_resolves(MICROVM);
}

#[test]
#[ignore = "runs a process; ci/test runs it"]
fn a_process_resolves_names_over_udp_and_tcp() {
    assert_resolves(Platform::Process);
}

#[test]
#[ignore = "runs a process; ci/test runs it"]
fn an_address_is_good_for_ever() {
    let lab = Lab::enter();
    for (name, address) in [("203.0.113.7", "203.0.113.7"), ("localhost", "127.0.0.1")] {
        let text = resolve(&lab, Platform::Process, name).wait_success();
        let expected = format!("{name} is {address} for ever");
        assert!(text.contains(&expected), "{text}");
    }
}

/// Fata serves no DNS: that this server is a real one to others is what the tests above rest on.
#[test]
#[ignore = "needs a network namespace; ci/test runs it"]
fn dig_understands_the_server() {
    let _lab = Lab::enter();
    start_server();
    for name in ["ok.test", "long.test"] {
        for (kind, address) in [("A", "203.0.113.7\n"), ("AAAA", "2001:db8::7\n")] {
            let arguments = ["@127.0.0.1", "+short", "+tries=1", name, kind];
            let answer = succeed("dig", arguments);
            assert_eq!(String::from_utf8_lossy(&answer), address, "{name}");
        }
    }
    let answer = succeed("dig", ["@127.0.0.1", "+tries=1", "no.test", "A"]);
    assert!(String::from_utf8_lossy(&answer).contains("status: NXDOMAIN"));
}
