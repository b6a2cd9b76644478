//! Requests and packets that no well-behaved client sends.

use crate::support::{MICROVM, assert_serves, bench_guest};
use fata_ci::{Client, Lab, Platform, RawSender, Response};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::io;
use std::net::{IpAddr, Ipv4Addr};

/// Requests that must be refused with one of these, or by closing the connection.
const REFUSED: &[(&str, &[u8])] = &[
    ("no request line", b"\x00\x01\x02\x03\r\n\r\n"),
    ("one word", b"GET\r\n\r\n"),
    ("no version", b"GET /\r\nHost: a\r\n\r\n"),
    ("another protocol", b"GET / SPDY/1.1\r\nHost: a\r\n\r\n"),
    ("a future version", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
    ("a lower-case version", b"GET / http/1.1\r\nHost: a\r\n\r\n"),
    ("no host", b"GET / HTTP/1.1\r\n\r\n"),
    ("two hosts", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    ("a blank before a colon", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
    ("a folded line", b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n"),
    ("a line without colon", b"GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n"),
    ("an empty name", b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n"),
    ("a NUL in a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n"),
    ("a lone CR in a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n"),
    ("two lengths", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
    ("a list of lengths", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\nab"),
    ("a negative length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"),
    ("a signed length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na"),
    ("a huge length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n"),
    ("length and chunks", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("an unknown coding", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: cabbage\r\n\r\n"),
    ("chunked not last", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n"),
    ("a chunk without size", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n"),
    ("a chunk size that overflows", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\na\r\n0\r\n\r\n"),
    ("a broken escape", b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
];

/// Sends bytes, says that no more follow, and returns all that comes until the server closes.
fn exchange(address: IpAddr, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut client = Client::connect(address, 80)?;
    // The server may have closed already; what it said is read below.
    let _ = client.send(bytes);
    let _ = client.finish();
    client.rest()
}

/// Returns whether a server's bytes are answers, or nothing at all.
fn is_answer(bytes: &[u8]) -> bool {
    bytes.is_empty() || bytes.starts_with(b"HTTP/1.1 ")
}

fn status(answer: &[u8]) -> Option<u16> {
    str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn malformed_requests_are_refused() {
    for platform in [MICROVM, Platform::Process] {
        let lab = Lab::enter();
        let (_program, address) = bench_guest(&lab, platform, 64);
        for (what, bytes) in REFUSED {
            let answer = exchange(address, bytes)
                .unwrap_or_else(|error| panic!("{platform:?}: {what}: {error}"));
            let text = String::from_utf8_lossy(&answer);
            let refused = status(&answer).is_none_or(|status| (400..600).contains(&status));
            assert!(
                is_answer(&answer) && refused,
                "{platform:?}: {what}: {text}"
            );
        }
        assert_serves(address);
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn what_is_too_large_is_refused_with_the_right_status() {
    let lab = Lab::enter();
    let (_guest, address) = bench_guest(&lab, MICROVM, 64);
    let target = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(100_000));
    let fields = format!(
        "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
        "X: y\r\n".repeat(10_000)
    );
    let value = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "y".repeat(100_000)
    );
    for (what, request, expected) in [
        ("target", target, 414),
        ("fields", fields, 431),
        ("value", value, 431),
    ] {
        let mut client = Client::connect(address, 80).expect("the server accepts");
        // The server may stop reading at its limit.
        let _ = client.send(request.as_bytes());
        let response: Response = client
            .response("GET")
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(response.status, expected, "{what}: {}", response.head);
    }
    assert_serves(address);
}

/// Real requests with bytes changed, cut, doubled and put in, and plain noise.
fn hostile_request() -> impl Strategy<Value = Vec<u8>> {
    let valid = prop_oneof![
        Just(b"GET / HTTP/1.1\r\nHost: guest\r\n\r\n".to_vec()),
        Just(b"HEAD /stats HTTP/1.1\r\nHost: guest\r\nAccept: */*\r\n\r\n".to_vec()),
        Just(b"POST / HTTP/1.1\r\nHost: guest\r\nContent-Length: 5\r\n\r\nhello".to_vec()),
        Just(b"POST / HTTP/1.1\r\nHost: guest\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n5\r\nhello\r\n0\r\n\r\n".to_vec()),
        Just(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()),
        prop::sample::select(REFUSED).prop_map(|(_, bytes)| bytes.to_vec()),
    ];
    let telling = prop::sample::select(b"\r\n \t:;,=/%?\0\x7f\xff0aZ".as_slice());
    let edit = (
        any::<prop::sample::Index>(),
        prop_oneof![telling, any::<u8>()],
        0..4u8,
    );
    let edited = (valid, prop::collection::vec(edit, 1..8)).prop_map(|(mut bytes, edits)| {
        for (place, byte, kind) in edits {
            if bytes.is_empty() {
                break;
            }
            let place = place.index(bytes.len());
            match kind {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                2 => drop(bytes.remove(place)),
                _ => bytes.truncate(place),
            }
        }
        bytes
    });
    prop_oneof![9 => edited, 1 => prop::collection::vec(any::<u8>(), 0..200)]
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn ten_thousand_hostile_requests_get_an_answer_or_a_close() {
    let lab = Lab::enter();
    let (mut guest, address) = bench_guest(&lab, MICROVM, 64);
    let config = Config {
        cases: 10_000,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let outcome = TestRunner::new_with_rng(config, random).run(&hostile_request(), |bytes| {
        let answer = exchange(address, &bytes)
            .map_err(|error| TestCaseError::fail(format!("no clean close: {error}")))?;
        prop_assert!(is_answer(&answer), "{}", String::from_utf8_lossy(&answer));
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}\n{}", guest.text()));
    assert!(guest.is_running());
    assert_serves(address);
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn broken_packets_do_no_harm() {
    let lab = Lab::enter();
    let (mut guest, address) = bench_guest(&lab, MICROVM, 64);
    let sender = RawSender::open();
    let config = Config {
        cases: 3_000,
        failure_persistence: None,
        ..Config::default()
    };
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let protocol = prop_oneof![Just(1u8), Just(6), Just(17), Just(58), any::<u8>()];
    let payload = prop::collection::vec(any::<u8>(), 0..100);
    let source = any::<[u8; 4]>().prop_map(Ipv4Addr::from);
    let packet = (protocol, payload, source);
    let outcome =
        TestRunner::new_with_rng(config, random).run(&packet, |(protocol, payload, source)| {
            // The host's kernel refuses some sources, and a full queue drops packets.
            let _ = sender.send(source, protocol, &payload);
            Ok(())
        });
    outcome.unwrap_or_else(|failure| panic!("{failure}\n{}", guest.text()));
    assert!(guest.is_running());
    assert_serves(address);
}
