//! Prints how many instructions a virtual machine executes from its entry to the program's main
//! function. `ci/bench instructions` builds the images and runs it.
//!
//! Under `-icount shift=0` QEMU's time-stamp counter advances by one for each instruction, so the
//! figures repeat exactly, whatever else the machine is doing.

use fata_ci::{Home, Launch, Machine, Network};

/// What the image logs, with the number in place of the dash, once it has got that far.
const BEFORE: &str = "entered main after ";
const AFTER: &str = " TSC ticks";

fn main() {
    println!("instructions from entry to main");
    for (name, network) in [
        ("hello", Network::None),
        ("bench-guest", Network::User(8080)),
    ] {
        for machine in Machine::ALL {
            let [first, second] = [(); 2].map(|()| measure(name, machine, network));
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
}

fn measure(name: &str, machine: Machine, network: Network) -> u64 {
    let program = Launch::new(name, Home::Machine(machine))
        .network(network)
        .arguments(["--log=debug"])
        .qemu_arguments(["-icount", "shift=0,sleep=off"])
        .start();
    let text = program.wait_until(BEFORE, |text| ticks(text).is_some());
    ticks(&text).expect("it was just found")
}

fn ticks(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once(BEFORE)?;
    let (number, _) = rest.split_once(AFTER)?;
    number.parse().ok()
}
