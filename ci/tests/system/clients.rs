//! Programs that others have written, as clients.

use crate::support::{MICROVM, assert_serves, bench_guest};
use fata_ci::{GUEST_IPV4, GUEST_IPV6, Lab, Platform, Program, TAP, succeed};
use std::net::IpAddr;
use std::thread;
use std::time::Duration;

fn text(program: &str, arguments: &[&str]) -> String {
    String::from_utf8(succeed(program, arguments)).expect("it writes text")
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn ab_is_served_with_and_without_keep_alive() {
    for platform in [MICROVM, Platform::Process] {
        let lab = Lab::enter();
        let (_program, address) = bench_guest(&lab, platform, 64);
        let url = format!("http://{address}/");
        for options in [&["-k"][..], &[]] {
            let common = ["-q", "-n", "2000", "-c", "16"];
            let report = text("ab", &[&common[..], options, &[&url]].concat());
            let number = |name: &str| {
                let line = report.lines().find_map(|line| line.strip_prefix(name));
                line.map(|number| number.trim().to_owned())
            };
            assert_eq!(number("Complete requests:").as_deref(), Some("2000"));
            assert_eq!(number("Failed requests:").as_deref(), Some("0"), "{report}");
            assert_eq!(number("Non-2xx responses:"), None, "{report}");
            let kept = options.first().map(|_| "2000".to_owned());
            assert_eq!(number("Keep-Alive requests:"), kept, "{report}");
        }
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_flood_of_pings_is_answered() {
    let lab = Lab::enter();
    let (_guest, address) = bench_guest(&lab, MICROVM, 64);
    for target in [GUEST_IPV4.to_string(), GUEST_IPV6.to_string()] {
        // The first has the neighbor's address found; a flood does not wait for it.
        succeed("ping", ["-c", "1", "-W", "10", &target]);
        for size in ["56", "1400"] {
            let report = text("ping", &["-f", "-q", "-c", "2000", "-s", size, &target]);
            let received = report
                .split(", ")
                .find_map(|part| part.strip_suffix(" received"));
            let received: u32 = received.and_then(|number| number.parse().ok()).unwrap_or(0);
            assert!(received >= 1_980, "{report}");
        }
    }
    assert_serves(address);
}

/// How many FINs of clients a capture has, and how many of these are acknowledged.
fn fins(capture: &str, server: IpAddr) -> (usize, usize) {
    let from = format!("IP {server}.80 > ");
    let (own, others): (Vec<&str>, Vec<&str>) = capture
        .lines()
        .filter(|line| line.contains(": Flags ["))
        .partition(|line| line.contains(&from));
    let number = |line: &str, name: &str| -> Option<u32> {
        let (_, rest) = line.split_once(name)?;
        rest.split(',').next()?.parse().ok()
    };
    let fins = others.iter().filter(|line| line.contains("Flags [F"));
    let fins: Vec<u32> = fins.filter_map(|line| number(line, ", seq ")).collect();
    let is_acknowledged = |fin: &&u32| {
        let wanted = Some(fin.wrapping_add(1));
        own.iter().any(|line| number(line, ", ack ") == wanted)
    };
    (fins.len(), fins.iter().filter(is_acknowledged).count())
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn curls_connections_end_in_good_order() {
    const CLIENTS: usize = 20;
    let lab = Lab::enter();
    let (_guest, address) = bench_guest(&lab, MICROVM, 64);
    let filter = ["-i", TAP, "-n", "-l", "-S", "tcp port 80"];
    let capture = Program::run([&["tcpdump"][..], &filter].concat());
    capture.wait_for("listening on");
    let url = format!("http://{address}/");
    for _ in 0..CLIENTS {
        let page = text("curl", &["-s", "-H", "Connection: close", &url]);
        assert_eq!(page, "Hello, World!");
    }
    capture.wait_until("a FIN of each", |seen| fins(seen, address).0 >= CLIENTS);
    // One that is not acknowledged comes again after 200 ms.
    thread::sleep(Duration::from_millis(500));
    let seen = capture.wait_for("Flags");
    assert_eq!(fins(&seen, address), (CLIENTS, CLIENTS), "{seen}");
    assert!(!seen.contains("Flags [R"), "{seen}");
}
