//! Prints how many instructions a virtual machine executes: from its entry to the program's main
//! function, and for an HTTP request. `ci/bench instructions` builds the images and runs it.
//!
//! Under `-icount shift=0` QEMU's time-stamp counter advances by one for each instruction, so the
//! figures of a start repeat exactly, whatever else the machine is doing. Those of a request
//! depend a little on how its packets meet.

use fata_ci::{Client, Home, Launch, Machine, Network, Program};
use std::net::{IpAddr, Ipv4Addr};

/// What the image logs, with the number in place of the dash, once it has got that far.
const BEFORE: &str = "entered main after ";
const AFTER: &str = " TSC ticks";

const PORT: u16 = 8080;
const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const REQUESTS: u64 = 1000;

fn main() {
    println!("instructions from entry to main");
    for (name, network) in [
        ("hello", Network::None),
        ("bench-guest", Network::User(PORT)),
    ] {
        for machine in Machine::ALL {
            let [first, second] = [(); 2].map(|()| start(name, machine, network).1);
            let repeats = if first == second {
                ""
            } else {
                " (does not repeat!)"
            };
            println!(
                "{name:12} {:8} {first:>12}{repeats}",
                format!("{machine:?}")
            );
        }
    }
    println!("instructions of an HTTP request (bench-guest, the average of {REQUESTS})");
    for machine in Machine::ALL {
        let (program, _) = start("bench-guest", machine, Network::User(PORT));
        program.wait_for("listening");
        let keep_alive = cost(|| {
            let mut client = connect();
            (0..REQUESTS).for_each(|_| get(&mut client, "/"));
        });
        let close = cost(|| (0..REQUESTS).for_each(|_| get(&mut connect(), "/")));
        println!(
            "{:8} keep-alive {keep_alive:>8}, a connection each {close:>8}",
            format!("{machine:?}")
        );
    }
}

/// Starts an image. Returns it, and the instructions from its entry to its main function.
fn start(name: &str, machine: Machine, network: Network) -> (Program, u64) {
    let program = Launch::new(name, Home::Machine(machine))
        .network(network)
        .arguments(["--log=debug"])
        .qemu_arguments(["-icount", "shift=0,sleep=off"])
        .start();
    let text = program.wait_until(BEFORE, |text| ticks(text).is_some());
    let ticks = ticks(&text).expect("it was just found");
    (program, ticks)
}

fn ticks(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once(BEFORE)?;
    let (number, _) = rest.split_once(AFTER)?;
    number.parse().ok()
}

/// The instructions of each of the requests that `work` makes.
fn cost(work: impl Fn()) -> u64 {
    work();
    let before = busy();
    work();
    (busy() - before) / REQUESTS
}

/// Nanoseconds, and so instructions, for which the guest's processor was not halted.
fn busy() -> u64 {
    let response = connect().get("/stats").expect("the statistics come");
    let text = String::from_utf8(response.body).expect("the statistics are text");
    let line = text.lines().find_map(|line| line.strip_prefix("busy-ns "));
    line.and_then(|number| number.parse().ok())
        .expect("the statistics have the processor time")
}

fn connect() -> Client {
    Client::connect(HOST, PORT).expect("the guest takes connections")
}

fn get(client: &mut Client, target: &str) {
    let response = client.get(target).expect("a request is answered");
    assert_eq!(response.status, 200);
}
