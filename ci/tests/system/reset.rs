//! A machine that is reset starts anew, whatever its memory still holds.

use fata_ci::{Client, Ending, Lab, Launch, Machine, Platform, Program};
use std::io::{BufRead, BufReader, Write};
use std::net::IpAddr;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicU32, Ordering};

const RESETS: usize = 5;

/// QEMU's own reset instead of the end that the harness asks for.
const START_AGAIN: [&str; 2] = ["-action", "reboot=reset"];

/// QEMU's machine protocol.
struct Monitor(BufReader<UnixStream>);

impl Monitor {
    /// Starts the machine with a monitor.
    fn attach(launch: Launch, lab: &Lab) -> (Program, IpAddr, Self) {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("fata-monitor-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let listener = UnixListener::bind(&path).expect("the path is free");
        let (program, address) = launch
            .qemu_arguments(["-qmp", &format!("unix:{}", path.display())])
            .start_in(lab);
        let (stream, _) = listener.accept().expect("QEMU connects");
        std::fs::remove_file(&path).expect("it was made above");
        let mut monitor = Self(BufReader::new(stream));
        monitor.line("QMP");
        monitor.execute("qmp_capabilities");
        (program, address, monitor)
    }

    fn execute(&mut self, command: &str) {
        let request = format!("{{\"execute\":\"{command}\"}}\n");
        let sent = self.0.get_mut().write_all(request.as_bytes());
        sent.expect("QEMU listens");
        self.line("return");
    }

    /// Reads up to the line with this key.
    fn line(&mut self, key: &str) {
        let mut line = String::new();
        while !line.contains(&format!("\"{key}\"")) {
            line.clear();
            let length = self.0.read_line(&mut line).expect("QEMU answers");
            assert_ne!(length, 0, "QEMU closed its monitor");
        }
    }
}

/// Gets the page after each of the machine's starts, and resets it. It must have logged that it
/// serves each time, and what it served.
#[track_caller]
fn assert_serves_after_resets(program: &Program, address: IpAddr, mut reset: impl FnMut()) {
    for starts in 1..=RESETS + 1 {
        wait_for_times(program, ": listening", starts);
        let mut client = Client::connect(address, 80).expect("the server accepts");
        let response = client.get("/").expect("the server answers");
        assert_eq!(response.status, 200);
        wait_for_times(program, "INFO  access: ", starts);
        if starts <= RESETS {
            reset();
        }
    }
}

#[track_caller]
fn wait_for_times(program: &Program, text: &str, times: usize) {
    program.wait_until(&format!("{text:?} {times} times"), |seen| {
        seen.matches(text).count() == times
    });
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_server_survives_resets_by_the_monitor() {
    let lab = Lab::enter();
    for machine in Machine::ALL {
        let launch = Launch::new("site", Platform::Machine(machine)).qemu_arguments(START_AGAIN);
        let (program, address, mut monitor) = Monitor::attach(launch, &lab);
        assert_serves_after_resets(&program, address, || monitor.execute("system_reset"));
    }
}

/// Has the test image reset its machine by itself, by a request that nobody answers.
fn assert_survives_resets_by_itself(path: &str) {
    let lab = Lab::enter();
    for machine in Machine::ALL {
        let (program, address) = Launch::new("reset", Platform::Machine(machine))
            .qemu_arguments(START_AGAIN)
            .start_in(&lab);
        assert_serves_after_resets(&program, address, || {
            let mut client = Client::connect(address, 80).expect("the server accepts");
            let request = format!("GET {path} HTTP/1.1\r\nHost: guest\r\n\r\n");
            client.send(request.as_bytes()).expect("the server reads");
        });
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_server_survives_reboots() {
    assert_survives_resets_by_itself("/reboot");
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_server_survives_triple_faults() {
    assert_survives_resets_by_itself("/triple-fault");
}

/// A process starts the same file again.
#[test]
#[ignore = "runs a process; ci/test runs it"]
fn a_process_survives_its_own_reboots() {
    let lab = Lab::enter();
    let (program, address) = Launch::new("reset", Platform::Process).start_in(&lab);
    assert_serves_after_resets(&program, address, || {
        let mut client = Client::connect(address, 80).expect("the server accepts");
        let request = b"GET /reboot HTTP/1.1\r\nHost: guest\r\n\r\n";
        client.send(request).expect("the server reads");
    });
}

/// A program that fails ends its machine. One that cannot be switched off starts again, and must
/// fail in the same way.
#[test]
#[ignore = "boots a virtual machine; ci/test runs it"]
fn a_program_that_fails_does_so_anew_after_each_reset() {
    let image = fata_ci::image("site");
    let mut program = Program::run([
        "qemu-system-x86_64",
        "-M",
        "microvm,acpi=off",
        "-cpu",
        "max",
        "-m",
        "64",
        "-nodefaults",
        "-display",
        "none",
        "-serial",
        "stdio",
        "-kernel",
        image.to_str().expect("paths in the tests are UTF-8"),
    ]);
    let text = program.wait_until("the same error again", |seen| {
        seen.matches("no network device").count() > RESETS
    });
    assert!(!text.contains("fault"), "{text}");
    program.terminate();
    assert_eq!(program.wait().0, Ending::Status(0));
}
