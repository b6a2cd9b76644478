//! From entry to main.

use fata_ci::{Figures, Lab, Launch, Machine, Network, Platform};

/// Text that the image logs before and after the number, once it has got that far.
const BEFORE: &str = "entered main after ";
const AFTER: &str = " TSC ticks";

/// A port of the lab's own.
const PORT: u16 = 8080;

pub fn measure(figures: &mut Figures, _: &Lab) {
    for (name, network) in [
        ("hello", Network::None),
        ("bench-guest", Network::User(PORT)),
    ] {
        for machine in Machine::ALL {
            let figure = format!("entry.{}.{name}", machine.name());
            figures.add(figure, start(name, machine, network));
        }
    }
}

/// Starts an image. Returns the instructions from its entry to its main function.
fn start(name: &str, machine: Machine, network: Network) -> u64 {
    let program = Launch::new(name, Platform::Machine(machine))
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
