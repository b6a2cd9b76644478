use super::*;
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::boxed::Box;
use std::io::{Read, pipe};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc;
use std::thread;
use std::vec::Vec;

/// Lines of several lengths, more bytes than a pipe or a terminal holds.
fn lines() -> Vec<u8> {
    let line = |length| [&[b'x'; 1_000][..length], "\té\n".as_bytes()].concat();
    (0..4_000).flat_map(|number| line(number % 1_000)).collect()
}

/// Writes all of `bytes` in a thread of its own, so that a write that blocks fails the test.
/// Returns how long that took.
#[track_caller]
fn write(output: &'static Output, descriptor: &OwnedFd, bytes: Vec<u8>) -> Duration {
    let descriptor = descriptor.try_clone().unwrap();
    let (done, wait) = mpsc::channel();
    thread::spawn(move || {
        let start = Instant::now();
        output.write_or_lose(descriptor.as_fd(), &bytes);
        let _ = done.send(start.elapsed());
    });
    let written = wait.recv_timeout(10 * PATIENCE);
    written.expect("the write returns though nobody reads")
}

fn output(descriptor: &OwnedFd) -> &'static Output {
    let output = Box::leak(Box::new(Output::new()));
    output.look_at(descriptor.as_fd());
    output
}

/// Nobody reads: one wait, then none. Then somebody reads, and the last line comes through.
#[track_caller]
fn assert_waits_once(descriptor: OwnedFd, mut reader: impl Read + Send + 'static) {
    let output = output(&descriptor);
    let first = write(output, &descriptor, lines());
    assert!(first >= PATIENCE, "it waited for {first:?} only");
    let second = write(output, &descriptor, lines());
    assert!(second < PATIENCE, "it waited again, for {second:?}");
    let (done, wait) = mpsc::channel();
    thread::spawn(move || {
        let (mut seen, mut buffer) = (Vec::new(), [0; 4_096]);
        while !seen.ends_with(b"the end") {
            match reader.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(count) => seen.extend_from_slice(&buffer[..count]),
            }
        }
        let _ = done.send(seen);
    });
    assert!(takes_some(descriptor.as_fd(), 10 * PATIENCE));
    write(output, &descriptor, b"the end".into());
    let seen = wait.recv_timeout(10 * PATIENCE);
    let seen = seen.expect("the end comes through");
    assert!(seen.starts_with(&lines()[..3]), "{:?}", &seen[..3]);
    assert!(seen.len() < lines().len(), "nothing was lost");
}

#[test]
fn a_full_pipe_is_waited_for_once() {
    let (reader, writer) = pipe().unwrap();
    assert_waits_once(writer.into(), reader);
}

#[test]
fn a_terminal_that_nobody_reads_is_waited_for_once() {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal)
        .and_then(|()| unlockpt(&terminal))
        .unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY;
    let process_side = rustix::fs::open(name, flags, Mode::empty()).unwrap();
    assert_waits_once(process_side, std::fs::File::from(terminal));
}

#[test]
fn a_pipe_that_is_read_slowly_loses_nothing() {
    let (mut reader, writer) = pipe().unwrap();
    let expected = lines();
    let reading = thread::spawn(move || {
        thread::sleep(PATIENCE / 2);
        let mut seen = Vec::new();
        reader.read_to_end(&mut seen).unwrap();
        seen
    });
    let writer = OwnedFd::from(writer);
    write(output(&writer), &writer, expected.clone());
    drop(writer);
    assert!(reading.join().unwrap() == expected);
}

#[test]
fn a_pipe_without_a_reader_takes_no_time() {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let writer = OwnedFd::from(writer);
    let output = output(&writer);
    assert!(write(output, &writer, lines()) < PATIENCE);
}

#[test]
fn a_terminals_pieces_end_before_what_may_become_longer() {
    let output = Output::new();
    assert_eq!(output.piece(b"a\x1bb\ncd"), 3);
    assert_eq!(output.piece(b"ab"), 2);
    assert_eq!(output.piece(b"\r\n"), 1);
    assert_eq!(output.piece(&[b'x'; 1_000]), TERMINAL_PIECE);
}
