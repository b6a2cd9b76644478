//! Prints how many instructions a virtual machine executes: from its entry to the program's main
//! function, and for what it does on the network. `ci/bench instructions` builds the images and
//! runs it.
//!
//! Under `-icount shift=0` QEMU's time-stamp counter advances by one for each instruction, so the
//! figures of a start repeat exactly, whatever else the machine is doing. Those of the network
//! depend a little on how its packets meet.

mod many;
mod network;

use fata_ci::{Lab, Launch, Machine, Network, Platform, Program};

/// The message that the image logs once it has got that far. The number follows.
const BEFORE: &str = "entered main after ";
const AFTER: &str = " TSC ticks";

const PORT: u16 = 8080;

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
    let lab = Lab::enter();
    network::print(&lab);
    many::print(&lab);
}

/// Starts an image. Returns it, and the instructions from its entry to its main function.
fn start(name: &str, machine: Machine, network: Network) -> (Program, u64) {
    let program = Launch::new(name, Platform::Machine(machine))
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
