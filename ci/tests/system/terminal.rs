//! The terminal: a virtio console whose other side the test holds, or a pseudoterminal.

use crate::support::{Killed, MICROVM, pseudoterminal};
use fata_ci::{Ending, Launch, Machine, PATIENCE, Platform, Program, debug_binary};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Reads until what was read ends with `text`.
#[track_caller]
pub fn read_until(input: &mut impl Read, text: &str) -> String {
    let (mut seen, mut byte) = (Vec::new(), [0]);
    while !seen.ends_with(text.as_bytes()) {
        let count = input.read(&mut byte);
        let so_far = String::from_utf8_lossy(&seen);
        assert_eq!(count.ok(), Some(1), "no {text:?} in {so_far:?}");
        seen.push(byte[0]);
    }
    String::from_utf8(seen).expect("the terminal writes text")
}

/// Starts the test image with a virtio console on a socket, and takes the other end.
pub fn start(machine: Machine, options: &[&str]) -> (Program, UnixStream) {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("fata-terminal-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let listener = UnixListener::bind(&path).expect("the path is free");
    let bus = match machine {
        Machine::Microvm => "virtio-serial-device",
        Machine::Q35 | Machine::Pc => "virtio-serial-pci",
    };
    let program = Launch::new("terminal", Platform::Machine(machine))
        .qemu_arguments(options.iter().copied())
        .qemu_arguments([
            "-chardev",
            &format!("socket,id=terminal,path={}", path.display()),
            "-device",
            bus,
            "-device",
            "virtconsole,chardev=terminal",
        ])
        .start();
    let (stream, _) = listener.accept().expect("QEMU connects");
    std::fs::remove_file(&path).expect("it was made above");
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("sockets take a time-out");
    (program, stream)
}

fn assert_echoes(machine: Machine, options: &[&str]) {
    let (mut program, mut terminal) = start(machine, options);
    // QEMU 7.2 does not tell sizes; the driver's own tests do.
    read_until(&mut terminal, "the terminal has no size\r\n");
    terminal.write_all(b"hello\nfrom the other side\n").unwrap();
    read_until(&mut terminal, "> hello\r\n> from the other side\r\n");
    terminal.write_all(b"end\n").unwrap();
    read_until(&mut terminal, "the end\r\n");
    program.wait_success();
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn lines_are_repeated_on_every_machine() {
    for machine in Machine::ALL {
        assert_echoes(machine, &[]);
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn lines_are_repeated_over_the_legacy_interface() {
    assert_echoes(
        Machine::Microvm,
        &["-global", "virtio-mmio.force-legacy=true"],
    );
    for machine in [Machine::Q35, Machine::Pc] {
        let legacy = ["disable-modern=on", "disable-legacy=off"];
        let [modern, legacy] = legacy.map(|option| format!("virtio-pci.{option}"));
        assert_echoes(machine, &["-global", &modern, "-global", &legacy]);
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn nothing_of_much_output_is_lost() {
    for machine in [Machine::Microvm, Machine::Q35] {
        let (mut program, mut terminal) = start(machine, &[]);
        terminal.write_all(b"flood\nend\n").unwrap();
        let seen = read_until(&mut terminal, "the end\r\n");
        assert_complete(&seen);
        program.wait_success();
    }
}

/// Asserts that all that `flood` makes the program write is there.
#[track_caller]
pub fn assert_complete(seen: &str) {
    let lines: Vec<&str> = seen
        .lines()
        .filter(|line| line.starts_with("line"))
        .collect();
    let expected: Vec<String> = (0..2_000).map(|number| format!("line {number}")).collect();
    assert_eq!(lines, expected);
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_machine_without_a_virtio_console_says_so() {
    let (ending, said) = Launch::new("terminal", MICROVM).start().wait();
    assert_eq!(ending, Ending::Status(1), "{said}");
    assert!(
        said.contains("no virtio console; give the machine one"),
        "{said}"
    );
}

#[test]
#[ignore = "runs a process; ci/test runs it"]
fn a_process_learns_of_its_terminals_new_size() {
    assert_learns_of_new_size(&[]);
}

#[test]
#[ignore = "runs a process; ci/test runs it"]
fn a_sandboxed_process_learns_of_its_terminals_new_size() {
    assert_learns_of_new_size(&["--sandbox"]);
}

fn assert_learns_of_new_size(arguments: &[&str]) {
    let (mut terminal, slave) = pseudoterminal();
    let resize = |terminal: &File, columns, rows| {
        let size = Winsize {
            ws_col: columns,
            ws_row: rows,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(terminal, size).expect("it is a terminal");
    };
    resize(&terminal, 80, 25);
    let mut child = Killed(
        Command::new(debug_binary("terminal"))
            .args(arguments)
            .stdin(slave.try_clone().unwrap())
            .stdout(slave)
            .spawn()
            .expect("it was built"),
    );
    read_until(&mut terminal, "the terminal has 80 columns, 25 rows");
    resize(&terminal, 132, 50);
    // It is not the process's controlling terminal, so the signal comes from here.
    kill_process(Pid::from_child(&child.0), Signal::WINCH).unwrap();
    read_until(&mut terminal, "the terminal has 132 columns, 50 rows");
    terminal.write_all(b"end\n").unwrap();
    read_until(&mut terminal, "the end");
    assert!(child.0.wait().unwrap().success());
}
