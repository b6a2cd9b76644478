//! A process whose standard output nobody reads, or somebody only later.

use crate::support::{Killed, pseudoterminal};
use crate::terminal::{assert_complete, read_until};
use fata_ci::{Client, Lab, PATIENCE, debug_binary};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::io::{PipeWriter, Read, Write, pipe};
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Each is a line of the log, and together they are more than a terminal holds.
const REQUESTS: u32 = 1_000;
/// One wait of a second for the output, and what a machine under load takes for the requests.
const SOON: Duration = Duration::from_secs(15);
/// For longer than a process waits for its output.
const LATE: Duration = Duration::from_millis(2_500);

/// A pipe that takes nothing more: its reader's side, and that of a process.
#[track_caller]
fn full_pipe() -> (File, File) {
    let (reader, mut writer) = pipe().expect("there are pipes");
    let takes_some = |writer: &PipeWriter| {
        let mut descriptors = [PollFd::new(writer, PollFlags::OUT)];
        poll(&mut descriptors, Some(&Timespec::default())) == Ok(1)
    };
    while takes_some(&writer) {
        writer.write_all(&[b'.'; 4_096]).expect("it takes some");
    }
    (OwnedFd::from(reader).into(), OwnedFd::from(writer).into())
}

const OUTPUTS: [fn() -> (File, File); 2] = [full_pipe, pseudoterminal];

fn start(name: &str, arguments: &[&str], input: Stdio, output: File) -> Killed {
    let mut command = Command::new(debug_binary(name));
    command.args(arguments).stdin(input).stdout(output);
    Killed(command.spawn().expect("it was built"))
}

/// Connects to a server that does not say when it listens.
#[track_caller]
fn connect(address: IpAddr) -> Client {
    let deadline = Instant::now() + SOON;
    loop {
        match Client::connect(address, 80) {
            Ok(client) => return client,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// The status with which a process ends.
#[track_caller]
fn status(child: &mut Child) -> Option<i32> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            return status.code();
        }
        assert!(Instant::now() < deadline, "it does not end");
        thread::sleep(Duration::from_millis(10));
    }
}

#[track_caller]
fn assert_serves_unread(make: fn() -> (File, File), arguments: &[&str]) {
    let lab = Lab::enter();
    let (mut reader, output) = make();
    let mut site = start("site", arguments, Stdio::null(), output);
    let mut client = connect(lab.loopback());
    let begin = Instant::now();
    for _ in 0..REQUESTS {
        assert_eq!(client.get("/").expect("the site answers").status, 200);
    }
    let took = begin.elapsed();
    assert!(took < SOON, "{REQUESTS} requests took {took:?}");
    // Somebody reads on: what is written from now on is seen.
    let count = reader.read(&mut [0; 1 << 16]);
    assert!(count.is_ok_and(|count| count > 0), "nothing was written");
    thread::sleep(Duration::from_millis(100));
    kill_process(Pid::from_child(&site.0), Signal::TERM).expect("it runs");
    read_until(&mut reader, "SIGTERM: the program ends");
    assert_eq!(status(&mut site.0), Some(143));
}

#[test]
#[ignore = "runs processes; ci/test runs it"]
fn a_server_goes_on_though_nobody_reads_what_it_logs() {
    for make in OUTPUTS {
        assert_serves_unread(make, &[]);
        assert_serves_unread(make, &["--sandbox"]);
    }
}

#[test]
#[ignore = "runs processes; ci/test runs it"]
fn a_signal_ends_a_server_though_nobody_reads_what_it_logs() {
    for make in OUTPUTS {
        let lab = Lab::enter();
        let (_reader, output) = make();
        let mut site = start("site", &[], Stdio::null(), output);
        let mut client = connect(lab.loopback());
        for _ in 0..REQUESTS {
            client.get("/").expect("the site answers");
        }
        kill_process(Pid::from_child(&site.0), Signal::TERM).expect("it runs");
        assert_eq!(status(&mut site.0), Some(143));
    }
}

#[test]
#[ignore = "runs a process; ci/test runs it"]
fn a_log_that_is_read_half_a_second_late_is_complete() {
    let (mut reader, output) = full_pipe();
    let mut hello = start("hello", &[], Stdio::null(), output);
    thread::sleep(Duration::from_millis(500));
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("it is text");
    assert_eq!(text.matches(" hello: hello\n").count(), 4, "{text}");
    assert_eq!(status(&mut hello.0), Some(0));
}

#[test]
#[ignore = "runs processes; ci/test runs it"]
fn what_is_written_to_a_terminal_waits_for_its_reader() {
    for make in OUTPUTS {
        let (mut reader, output) = make();
        let mut program = start("terminal", &[], Stdio::piped(), output);
        let mut input = program.0.stdin.take().expect("it was asked for");
        input.write_all(b"flood\nend\n").expect("the program reads");
        thread::sleep(LATE);
        let seen = read_until(&mut reader, "the end");
        assert_complete(&seen.replace("\r\r\n", "\r\n"));
        assert_eq!(status(&mut program.0), Some(0));
    }
}
