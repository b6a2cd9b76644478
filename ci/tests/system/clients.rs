//! Programs that others have written, as clients.

use crate::support::{MICROVM, assert_serves, bench_guest};
use fata_ci::{GUEST_IPV4, GUEST_IPV6, Home, Lab, succeed};

fn text(program: &str, arguments: &[&str]) -> String {
    String::from_utf8(succeed(program, arguments)).expect("it writes text")
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn ab_is_served_with_and_without_keep_alive() {
    for home in [MICROVM, Home::Process] {
        let lab = Lab::enter();
        let (_program, address) = bench_guest(&lab, home, 64);
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
