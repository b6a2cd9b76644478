//! Calls of the host for each connection and request of a process, counted by strace, and the
//! segments on the network: both repeat, where times do not.

use crate::support::BENCH_LISTENING;
use fata_ci::{Client, GUEST_IPV4, Lab, Launch, Platform, Program, debug_binary};
use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::thread;
use std::time::Duration;

const REQUESTS: usize = 300;
/// Something else may happen meanwhile, such as a late acknowledgement, and the program's end.
const OTHERS: usize = REQUESTS / 10;

/// How often a program makes each call while it is driven.
type Calls = BTreeMap<String, usize>;

/// Traces `program` while `drive` runs, and ends it.
fn count(mut program: Program, drive: impl FnOnce()) -> Calls {
    let id = program.id();
    let file = tempfile::NamedTempFile::new().expect("a file for what strace counts");
    let path = file.path().to_str().expect("it has a plain name");
    let number = id.to_string();
    let mut strace = Program::run([
        "strace",
        "-f",
        "-c",
        "-U",
        "name,calls",
        "-o",
        path,
        "-p",
        &number,
    ]);
    strace.wait_for("attached");
    drive();
    program.terminate();
    program.wait();
    strace.wait();
    let table = fs::read_to_string(path).expect("strace has written its table");
    let line = |line: &str| {
        let (name, calls) = line.trim().split_once(' ')?;
        Some((name.to_owned(), calls.trim().parse().ok()?))
    };
    let mut calls: Calls = table.lines().filter_map(line).collect();
    calls.remove("total").expect("strace has counted");
    calls
}

/// Asserts that each call was made for every request at most so many times, and no others were.
#[track_caller]
fn assert_at_most(calls: &Calls, bounds: &[(&str, usize)]) {
    for (name, count) in calls {
        let bound = bounds.iter().find(|(known, _)| known == name);
        let most = bound.map_or(0, |(_, times)| times * REQUESTS) + OTHERS;
        assert!(*count <= most, "{name}: {count} times; all: {calls:?}");
    }
}

/// The TCP segments that this namespace has sent.
fn segments() -> usize {
    let counters = fs::read_to_string("/proc/thread-self/net/snmp").expect("Linux counts");
    let mut tcp = counters
        .lines()
        .filter_map(|line| line.strip_prefix("Tcp: "));
    let (names, values) = (tcp.next().expect("names"), tcp.next().expect("values"));
    let mut pairs = names.split(' ').zip(values.split(' '));
    let sent = pairs.find(|(name, _)| *name == "OutSegs");
    sent.and_then(|(_, count)| count.parse().ok())
        .expect("a number of segments")
}

fn start(arguments: &[&str]) -> Program {
    let program = Launch::new("bench-guest", Platform::Process)
        .arguments(arguments.iter().copied())
        .start();
    program.wait_for(BENCH_LISTENING);
    program
}

fn request(client: &mut Client, lines: &str) {
    let response = client.request("GET", "/", lines);
    assert_eq!(response.expect("the server answers").status, 200);
}

/// One connection for each request, whose end the client asks for.
fn connect_for_each(address: IpAddr) {
    for _ in 0..REQUESTS {
        let mut client = Client::connect(address, 80).expect("the server accepts");
        request(&mut client, "Connection: close\r\n");
        assert_eq!(client.rest().expect("the server closes"), b"");
    }
}

fn keep_alive(address: IpAddr) {
    let mut client = Client::connect(address, 80).expect("the server accepts");
    (0..REQUESTS).for_each(|_| request(&mut client, ""));
}

#[test]
#[ignore = "runs processes; ci/test runs it"]
fn a_connection_for_each_request_is_few_calls_and_segments() {
    let lab = Lab::enter();
    let program = start(&[]);
    let mut sent = 0;
    let calls = count(program, || {
        let before = segments();
        connect_for_each(lab.loopback());
        sent = segments() - before;
    });
    let bounds = [
        // How often the loop polls depends on when the client sends.
        ("epoll_pwait", 4),
        // The second time none waits.
        ("accept4", 2),
        ("recvfrom", 1),
        ("sendto", 1),
        // The call asks for unread bytes.
        ("ioctl", 1),
        ("close", 1),
        // Debug builds look whether a descriptor is open before they close it.
        ("fcntl", 1),
    ];
    assert_at_most(&calls, &bounds);
    // Four of the client: SYN, its acknowledgement, request, end. Three of the server: SYN, answer
    // and end, acknowledgement of the client's end.
    assert!(sent <= 7 * REQUESTS + OTHERS, "{sent} segments");
}

#[test]
#[ignore = "runs processes; ci/test runs it"]
fn a_request_is_few_calls() {
    let lab = Lab::enter();
    let calls = count(start(&[]), || keep_alive(lab.loopback()));
    assert_at_most(
        &calls,
        &[("epoll_pwait", 4), ("recvfrom", 1), ("sendto", 1)],
    );
}

#[test]
#[ignore = "runs processes; ci/test runs it"]
fn a_request_over_a_tap_is_few_calls() {
    let _lab = Lab::enter();
    let program = start(&["--net=tap=tap0", "--ipv4=198.51.100.2/24"]);
    let calls = count(program, || keep_alive(GUEST_IPV4.into()));
    assert_at_most(&calls, &[("epoll_pwait", 4), ("read", 2), ("write", 1)]);
}

/// The open files that a program may have.
const DESCRIPTORS: usize = 24;

fn start_with_few_descriptors() -> Program {
    let limit = format!("--nofile={DESCRIPTORS}:{DESCRIPTORS}");
    let program = debug_binary("bench-guest");
    let program = Program::run([Path::new("prlimit"), Path::new(&limit), &program]);
    program.wait_for(BENCH_LISTENING);
    program
}

/// How many files it can still open.
fn free_descriptors(program: &Program) -> usize {
    let folder = format!("/proc/{}/fd", program.id());
    // The limit is one of their numbers; a test may inherit some beyond it.
    let is_free = |number: &usize| !Path::new(&folder).join(number.to_string()).is_symlink();
    (0..DESCRIPTORS).filter(is_free).count()
}

/// Connects, and gets a page soon.
#[track_caller]
fn assert_serves_soon(address: IpAddr) {
    let soon = Duration::from_secs(5);
    let newcomer = Client::connect_within(address, 80, soon);
    let page = newcomer.expect("the host accepts").get("/");
    assert_eq!(page.expect("the server answers soon").status, 200);
}

/// Connections that wait for their next request do not hold the last descriptor.
#[test]
#[ignore = "runs processes; ci/test runs it"]
fn newcomers_are_served_while_others_idle_on_all_descriptors() {
    let lab = Lab::enter();
    let program = start_with_few_descriptors();
    let mut idle = Vec::new();
    for _ in 0..free_descriptors(&program) {
        let mut client = Client::connect(lab.loopback(), 80).expect("the host accepts");
        request(&mut client, "");
        idle.push(client);
    }
    (0..3).for_each(|_| assert_serves_soon(lab.loopback()));
    // The last one had to leave after its answer; the one before has been idle for too short a time.
    let late = idle.iter_mut().nth_back(1);
    request(late.expect("there were some"), "");
}

/// The same, when it is connections of another server that take the last of them.
#[test]
#[ignore = "runs processes; ci/test runs it"]
fn idle_connections_make_room_after_another_server_took_it() {
    let lab = Lab::enter();
    let program = start_with_few_descriptors();
    let connect = |port| Client::connect(lab.loopback(), port).expect("the host accepts");
    let mut idle = connect(80);
    request(&mut idle, "");
    let _others: Vec<Client> = (0..free_descriptors(&program))
        .map(|_| connect(9))
        .collect();
    program.wait_for("accepts no connections for now");
    assert_eq!(free_descriptors(&program), 0);
    assert_serves_soon(lab.loopback());
}

/// It neither spins nor ends, says so once, and goes on when there are descriptors again.
#[test]
#[ignore = "runs processes; ci/test runs it"]
fn without_descriptors_a_process_waits_for_some() {
    let lab = Lab::enter();
    let mut program = start_with_few_descriptors();
    let connect = |_| Client::connect(lab.loopback(), 80).expect("the host accepts");
    let mut clients: Vec<Client> = (0..40).map(connect).collect();
    for client in &mut clients {
        let sent = client.send(b"GET / HTTP/1.1\r\nHost: guest\r\n\r\n");
        sent.expect("the host takes a request");
    }
    program.wait_for("accepts no connections for now");
    let before = program.cpu_time();
    thread::sleep(Duration::from_millis(500));
    let used = program.cpu_time() - before;
    assert!(
        used < Duration::from_millis(100),
        "{used:?} of the processor"
    );
    let mut last = clients.pop().expect("forty clients");
    drop(clients);
    let response = last.response("GET").expect("the server answers");
    assert_eq!(response.status, 200);
    assert!(program.is_running());
    // Once for each time that there are none, not for each attempt.
    let warnings = program.text().matches("accepts no connections").count();
    assert!(warnings < 10, "{warnings} warnings");
}
