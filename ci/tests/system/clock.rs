//! Where a machine's time comes from, and how a program's wall clock follows a time server.

use crate::support::MICROVM;
use fata_ci::{Ending, GATEWAY, Lab, Launch, Platform, Program, TimeServer, run};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);
/// The clock's own rounding, and what slewing leaves over.
const TOLERANCE: Duration = Duration::from_secs(1);

fn follower(lab: &Lab, platform: Platform, server: &TimeServer, arguments: &[&str]) -> Program {
    let address = match platform {
        Platform::Process => IpAddr::V4(Ipv4Addr::LOCALHOST),
        Platform::Machine(_) => IpAddr::V4(GATEWAY),
    };
    let launch = Launch::new("ntp", platform)
        .arguments([format!("--server={address}:{}", server.port())])
        .arguments(arguments.iter().copied());
    launch.start_in(lab).0
}

/// The times that the program has printed, since 1970.
fn printed_times(text: &str) -> Vec<Duration> {
    let times = text.lines().filter_map(|line| line.split_once("it is "));
    times.map(|(_, time)| seconds(time.trim())).collect()
}

/// Since 1970, of a time such as `2026-11-23T08:47:00Z`.
fn seconds(time: &str) -> Duration {
    let output = run("date", ["--date", time, "+%s"]);
    let text = String::from_utf8_lossy(&output.stdout);
    let seconds = text.trim().parse();
    Duration::from_secs(seconds.unwrap_or_else(|_| panic!("not a time: {time:?}")))
}

/// The program shows the server's time, whatever its platform's clock says; it goes on, and says so,
/// while the server is silent, and finds it again.
fn assert_follows(platform: Platform) {
    let lab = Lab::enter();
    let server = TimeServer::start(HOUR);
    let before = server.time();
    let program = follower(&lab, platform, &server, &["--interval=1"]);
    let text = program.wait_until("a time", |text| {
        text.contains("it is ") && text.ends_with('\n')
    });
    let after = server.time();
    assert!(text.contains(": set"), "an hour is a step: {text}");
    let first = printed_times(&text)[0];
    assert!(
        first + TOLERANCE >= before && first <= after + TOLERANCE,
        "{first:?} is not from {before:?} to {after:?}: {text}"
    );
    server.silence(true);
    let text = program.wait_for("no answer");
    let count = printed_times(&text).len();
    server.silence(false);
    let text = program.wait_until("another time", |text| {
        text.ends_with('\n') && printed_times(text).len() > count
    });
    let times = printed_times(&text);
    assert!(times.is_sorted(), "it ran back: {text}");
    assert!(*times.last().expect("it printed some") <= server.time() + TOLERANCE);
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_microvm_follows_a_time_server() {
    assert_follows(MICROVM);
}

#[test]
#[ignore = "runs a process; ci/test runs it"]
fn a_process_follows_a_time_server() {
    assert_follows(Platform::Process);
}

#[test]
#[ignore = "runs a process; ci/test runs it"]
fn a_small_offset_is_slewed() {
    let lab = Lab::enter();
    // The process starts with the server's time but for this.
    let server = TimeServer::start(Duration::from_millis(50));
    let program = follower(&lab, Platform::Process, &server, &["--interval=1"]);
    let text = program.wait_for("it is ");
    assert!(text.contains(": slewed"), "{text}");
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn once_prints_the_offset_and_ends() {
    let lab = Lab::enter();
    let server = TimeServer::start(HOUR);
    for platform in [MICROVM, Platform::Process] {
        let text = follower(&lab, platform, &server, &["--once"]).wait_success();
        let offset = text.split_once("offset ").expect("it prints one").1;
        let offset: i64 = offset
            .split_once(" µs")
            .and_then(|(number, _)| number.parse().ok())
            .unwrap_or_else(|| panic!("no number: {text}"));
        // The virtual machine's own clock is good to a second, and read some time before.
        let error = offset.abs_diff(HOUR.as_micros() as i64);
        assert!(error < 2_000_000, "{text}");
    }
    server.silence(true);
    let (ending, text) = follower(&lab, Platform::Process, &server, &["--once"]).wait();
    assert_eq!(ending, Ending::Status(1), "{text}");
    assert!(text.contains("no answer"), "{text}");
}

#[test]
#[ignore = "runs a process; ci/test runs it"]
fn a_server_must_be_named() {
    let (ending, text) = Launch::new("ntp", Platform::Process).start().wait();
    assert_eq!(ending, Ending::Status(1), "{text}");
    assert!(text.contains("--server"), "{text}");
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_machine_tells_what_its_time_comes_from() {
    let hello = |pit: &str| {
        Launch::new("hello", MICROVM)
            .arguments(["--log=debug"])
            .qemu_arguments(["-machine", pit])
            .start()
    };
    let text = hello("pit=on").wait_for(": hello");
    assert!(text.contains("clock: PIT, "), "{text}");
    assert!(!text.contains("unreliable"), "{text}");
    let text = hello("pit=off").wait_for(": hello");
    assert!(text.contains("clock: no PIT, "), "{text}");
    assert!(
        text.contains("WARN") && text.contains("unreliable"),
        "{text}"
    );
}
