//! A guest that has nothing to do leaves the processor alone.

use crate::support::{assert_serves, bench_guest};
use crate::terminal;
use fata_ci::{Client, Lab, Launch, Machine, Platform, Program};
use std::net::IpAddr;
use std::thread;
use std::time::Duration;

const WINDOW: Duration = Duration::from_secs(10);

/// 3 % of a core.
const LIMIT: Duration = Duration::from_millis(300);

/// 1 % of a core.
const STRICT_LIMIT: Duration = Duration::from_millis(100);

/// The work of closing and answering ends some time; an idle guest stays idle.
const TRIES: u32 = 3;

fn assert_idle(guest: &Program, what: &str) {
    assert_uses_less(guest, what, LIMIT);
}

/// Counts the processor time that QEMU itself uses, which no other load of the machine adds to.
fn assert_uses_less(guest: &Program, what: &str, limit: Duration) {
    let mut used = Vec::new();
    for _ in 0..TRIES {
        let before = guest.cpu_time();
        thread::sleep(WINDOW);
        used.push(guest.cpu_time() - before);
        if used.last() < Some(&limit) {
            return;
        }
    }
    panic!("{what}: an idle guest used {used:?} of {WINDOW:?} each");
}

fn assert_idle_with_and_without_connection(guest: &Program, address: IpAddr) {
    assert_idle(guest, "before any connection");
    let mut client = Client::connect(address, 80).expect("the server accepts");
    assert_eq!(client.get("/").expect("the server answers").status, 200);
    assert_idle(guest, "with an open connection");
    drop(client);
    assert_serves(address);
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn an_idle_microvm_uses_no_processor() {
    let lab = Lab::enter();
    let (guest, address) = bench_guest(&lab, Platform::Machine(Machine::Microvm), 64);
    assert_idle_with_and_without_connection(&guest, address);
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn an_idle_q35_uses_no_processor() {
    let lab = Lab::enter();
    let (guest, address) = bench_guest(&lab, Platform::Machine(Machine::Q35), 64);
    assert_idle_with_and_without_connection(&guest, address);
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn an_idle_terminal_uses_no_processor() {
    let (guest, mut terminal) = terminal::start(Machine::Microvm, &[]);
    terminal::read_until(&mut terminal, "\n");
    assert_idle(&guest, "at a terminal that nobody types at");
}

#[test]
#[ignore = "runs a process; ci/test runs it"]
fn an_idle_process_uses_no_processor() {
    let lab = Lab::enter();
    let (process, address) = bench_guest(&lab, Platform::Process, 64);
    assert_idle_with_and_without_connection(&process, address);
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn interrupts_are_seen_before_a_machine_is_first_idle() {
    for machine in Machine::ALL {
        let guest = Launch::new("wake", Platform::Machine(machine)).start();
        guest.wait_for("the first interrupt was seen");
    }
}

/// A wake-up that is lost leaves the machine halted, and the test without the last line.
fn a_million_wake_ups_are_not_lost(machine: Machine) {
    let guest = Launch::new("wake", Platform::Machine(machine))
        .arguments(["--wakes=1000000"])
        .start();
    // Each of these may take as long as anything else in the tests.
    for left in (0..1_000_000).step_by(50_000).rev() {
        guest.wait_for(&format!(" {left} to go"));
    }
    guest.wait_for("1000000 wake-ups, none lost");
    assert_uses_less(&guest, "after a million wake-ups", STRICT_LIMIT);
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_microvm_loses_no_wake_up() {
    a_million_wake_ups_are_not_lost(Machine::Microvm);
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_q35_loses_no_wake_up() {
    a_million_wake_ups_are_not_lost(Machine::Q35);
}
