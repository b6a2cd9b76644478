//! A sandboxed process: it does the same as before, and nothing else.

use crate::support::MICROVM;
use fata_ci::{
    Client, Ending, GUEST_IPV4, Lab, Launch, Platform, Program, Tree, debug_binary, run,
    target_folder, workspace,
};
use std::fs;
use std::net::IpAddr;

/// The exit status of a program that has made a call that is not allowed.
pub const CAUGHT: Ending = Ending::Status(159);
const LISTENING: &str = "listening";

/// The program's network: the host's sockets, or the lab's TAP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Network {
    Sockets,
    Tap,
}

impl Network {
    const BOTH: [Self; 2] = [Self::Sockets, Self::Tap];

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Sockets => &[],
            Self::Tap => &["--net=tap=tap0", "--ipv4=198.51.100.2/24"],
        }
    }

    fn address(self, lab: &Lab) -> IpAddr {
        match self {
            Self::Sockets => lab.loopback(),
            Self::Tap => GUEST_IPV4.into(),
        }
    }
}

fn start(name: &str, network: Network, arguments: &[&str]) -> Program {
    Launch::new(name, Platform::Process)
        .arguments(network.arguments().iter().chain(arguments).copied())
        .start()
}

fn sandboxed_site(network: Network) -> Program {
    let program = start("site", network, &["--sandbox"]);
    program.wait_for("in the sandbox");
    program.wait_for(LISTENING);
    program
}

fn escape(network: Network, arguments: &[&str]) -> (Ending, String) {
    start("escape", network, &[&["--sandbox"], arguments].concat()).wait()
}

/// Each page of the site, and one that it does not have.
fn pages(address: IpAddr) -> Vec<(u16, Vec<u8>)> {
    let content = Tree::read(&workspace().join("examples/applications/site/content"));
    assert!(content.count() >= 5, "hardly a site");
    let mut client = Client::connect(address, 80).expect("the site accepts");
    let names = content.files().map(|(name, _)| name.display().to_string());
    names
        .chain(["no/such/page".to_owned()])
        .map(|name| {
            let response = client.get(&format!("/{name}")).expect("the site answers");
            (response.status, response.body)
        })
        .collect()
}

#[test]
#[ignore = "runs processes; ci/test runs it"]
fn the_site_is_the_same_in_the_sandbox() {
    for network in Network::BOTH {
        let lab = Lab::enter();
        let address = network.address(&lab);
        let mut plain = start("site", network, &[]);
        plain.wait_for(LISTENING);
        let expected = pages(address);
        plain.terminate();
        plain.wait();
        let _sandboxed = sandboxed_site(network);
        assert!(pages(address) == expected, "{network:?}: the pages differ");
    }
}

#[test]
#[ignore = "runs processes; ci/test runs it"]
fn many_requests_and_connections_are_served() {
    for network in Network::BOTH {
        let lab = Lab::enter();
        let address = network.address(&lab);
        let mut site = sandboxed_site(network);
        let connect = |_| Client::connect(address, 80).expect("the site accepts");
        let mut clients: Vec<Client> = (0..64).map(connect).collect();
        for turn in 0..1_000 {
            let response = clients[turn % 64].get("/").expect("the site answers");
            assert_eq!(response.status, 200, "{network:?}: request {turn}");
        }
        // Connections that are closed unread, and those after them.
        for _ in 0..64 {
            let mut client = connect(0);
            client.send(b"GET / HTTP/1.1\r\n").expect("the site reads");
        }
        assert_eq!(connect(0).get("/").expect("the site answers").status, 200);
        assert!(site.is_running(), "{network:?}");
    }
}

#[test]
#[ignore = "runs processes; ci/test runs it"]
fn signals_end_it_in_order() {
    for network in Network::BOTH {
        let lab = Lab::enter();
        let mut site = sandboxed_site(network);
        pages(network.address(&lab));
        site.interrupt();
        let (ending, text) = site.wait();
        assert_eq!(ending, Ending::Status(130), "{network:?}: {text}");
        assert!(text.contains("SIGINT: the program ends"), "{text}");
        let mut site = sandboxed_site(network);
        site.terminate();
        assert_eq!(site.wait().0, Ending::Status(143), "{network:?}");
    }
}

#[test]
#[ignore = "runs processes; ci/test runs it"]
fn every_thread_is_filtered_for_good() {
    for network in Network::BOTH {
        let _lab = Lab::enter();
        let site = sandboxed_site(network);
        let tasks = format!("/proc/{}/task", site.id());
        let mut threads = 0;
        for thread in fs::read_dir(&tasks).expect("the site runs") {
            let path = thread.expect("its threads are listed").path();
            let status = fs::read_to_string(path.join("status")).expect("a thread has a status");
            for line in ["Seccomp:\t2", "NoNewPrivs:\t1"] {
                assert!(
                    status.lines().any(|found| found == line),
                    "no {line:?} in:\n{status}"
                );
            }
            threads += 1;
        }
        assert!(threads > 0, "no threads in {tasks}");
        let limits = fs::read_to_string(format!("/proc/{}/limits", site.id()));
        let limits = limits.expect("the site runs");
        let core = limits
            .lines()
            .find(|line| line.starts_with("Max core file size"));
        assert!(
            core.is_some_and(|line| line.split_whitespace().nth(4) == Some("0")),
            "{limits}"
        );
    }
}

/// Each attempt of the test program, and the call that it must be caught for.
pub const ATTEMPTS: &[(&str, &str)] = &[
    ("open", "open (2)"),
    ("openat", "openat (257)"),
    ("openat2", "openat2 (437)"),
    ("unlink", "unlink (87)"),
    ("exec", "execve (59)"),
    ("fork", "fork (57)"),
    ("clone", "clone (56)"),
    ("clone3", "clone3 (435)"),
    ("ptrace", "ptrace (101)"),
    ("read-memory-of-others", "process_vm_readv (310)"),
    ("kill", "kill (62)"),
    ("signal-thread-of-others", "tgkill (234)"),
    ("catch-sigsys", "rt_sigaction (13)"),
    ("map-executable", "mmap (9)"),
    ("map-file", "mmap (9)"),
    ("make-executable", "mprotect (10)"),
    ("unix-socket", "socket (41)"),
    ("packet-socket", "socket (41)"),
    ("raw-socket", "socket (41)"),
    ("sctp-socket", "socket (41)"),
    ("push-terminal-input", "ioctl (16)"),
    ("resize-terminal", "ioctl (16)"),
    ("duplicate-descriptor", "dup (32)"),
    ("prctl", "prctl (157)"),
    ("seccomp", "seccomp (317)"),
    ("bpf", "bpf (321)"),
    ("io-uring", "io_uring_setup (425)"),
    ("unshare", "unshare (272)"),
    ("mount", "mount (165)"),
    ("setuid", "setuid (105)"),
    ("x32-getpid", "an unknown system call (1073741863)"),
    ("no-such-call", "an unknown system call (100000)"),
];

fn assert_caught(network: Network, attempt: &str, call: &str) {
    let (ending, text) = escape(network, &["--attempt", attempt]);
    assert_eq!(ending, CAUGHT, "{network:?}: {attempt}: {text}");
    let reason = format!("fata: sandbox: the program called {call}, which is not allowed");
    assert!(text.contains(&reason), "{network:?}: {attempt}: {text}");
}

#[test]
#[ignore = "runs processes; ci/test runs it"]
fn every_attempt_to_escape_is_caught_and_named() {
    for network in Network::BOTH {
        let _lab = Lab::enter();
        for (attempt, call) in ATTEMPTS {
            assert_caught(network, attempt, call);
        }
    }
}

#[test]
#[ignore = "runs processes; ci/test runs it"]
fn only_a_device_does_without_sockets() {
    let _lab = Lab::enter();
    assert_caught(Network::Tap, "tcp-socket", "socket (41)");
    let (ending, text) = escape(Network::Sockets, &["--attempt", "tcp-socket"]);
    assert_eq!(ending, Ending::Status(1), "{text}");
    assert!(text.contains("the host has taken tcp-socket"), "{text}");
}

#[test]
#[ignore = "runs processes; ci/test runs it"]
fn without_an_attempt_or_a_sandbox_nothing_is_caught() {
    let _lab = Lab::enter();
    for network in Network::BOTH {
        let (ending, text) = escape(network, &[]);
        assert_eq!(ending, Ending::Status(0), "{text}");
        let mut free = start("escape", network, &["--attempt", "openat"]);
        let (ending, text) = free.wait();
        assert_eq!(ending, Ending::Status(1), "{text}");
        assert!(text.contains("the host has taken openat"), "{text}");
    }
}

#[test]
#[ignore = "runs processes; ci/test runs it"]
fn a_device_that_cannot_be_opened_is_an_error_of_the_network() {
    let _lab = Lab::enter();
    // The loopback interface is none that a program can attach to.
    let arguments = ["--sandbox", "--net=tap=lo"];
    let mut site = start("site", Network::Sockets, &arguments);
    let (ending, text) = site.wait();
    assert_eq!(ending, Ending::Status(1), "{text}");
    assert!(text.contains("lo is no TAP interface"), "{text}");
}

#[test]
#[ignore = "needs cargo; ci/test runs it"]
fn the_tool_runs_programs_in_the_sandbox() {
    let tool = target_folder().join("debug/cargo-fata");
    let tool = tool.to_str().expect("paths in the tests are UTF-8");
    let command = [tool, "run", "escape", "--vmm", "sandbox", "--"];
    let mut program = Program::run(command);
    assert!(program.wait_success().contains("in the sandbox"));
    let mut program = Program::run([&command[..], &["--attempt", "exec"]].concat());
    let (ending, text) = program.wait();
    assert_eq!(ending, CAUGHT, "{text}");
    let refused = run(
        tool,
        ["run", "escape", "--vmm", "sandbox", "--memory", "1G"],
    );
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && text.contains("--memory"),
        "{text}"
    );
}

#[test]
#[ignore = "boots a virtual machine; ci/test runs it"]
fn a_virtual_machine_knows_no_sandbox() {
    let (ending, text) = Launch::new("hello", MICROVM)
        .arguments(["--sandbox"])
        .start()
        .wait();
    assert_eq!(ending, Ending::Status(64), "{text}");
    let help = run(
        debug_binary("hello")
            .to_str()
            .expect("paths in the tests are UTF-8"),
        ["--help"],
    );
    assert!(String::from_utf8_lossy(&help.stdout).contains("--sandbox"));
}
