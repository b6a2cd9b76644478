//! Prints how fast bulk data, every byte of which is checked, comes through an impaired cable: to and
//! from a machine, beside the same program on Linux in a machine. `ci/bench impairment` builds what it needs
//! and runs it: VMLINUX INITRD MEGABYTES.

use fata_ci::{
    GUEST_IPV4, Impairment, Lab, Launch, Linux, Machine, Platform, Program, Relay, TAP_ARGUMENTS,
    receive_checked, send_checked,
};
use std::net::IpAddr;

/// Of 10,000 frames.
const LOSSES: [u32; 4] = [0, 10, 100, 500];
const SEED: u32 = 1;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().expect("VMLINUX INITRD MEGABYTES");
    let (kernel, initrd, megabytes) = (next(), next(), next());
    let linux = Linux {
        kernel: &kernel,
        initrd: &initrd,
        server: "benchd",
    };
    let bytes = megabytes.parse::<u64>().expect("a number") * 1_000_000;
    println!(
        "Mbit/s of {megabytes} MB each way; a millisecond's delay, 1 % overtaken by up to 3 ms, \
         0.5 % doubled"
    );
    println!("  loss       to Fata    to Linux  ratio   from Fata  from Linux  ratio");
    for loss in LOSSES {
        let fata = measure(loss, bytes, |relay| {
            Launch::new("bulk", Platform::Machine(Machine::Microvm))
                .arguments(TAP_ARGUMENTS)
                .qemu_arguments(relay.qemu_arguments())
                .start()
        });
        let linux = measure(loss, bytes, |relay| linux.start_behind(relay));
        println!(
            "{:>4.1} % {:>13.1} {:>11.1} {:>6.2} {:>11.1} {:>11.1} {:>6.2}",
            f64::from(loss) / 100.0,
            fata[0],
            linux[0],
            fata[0] / linux[0],
            fata[1],
            linux[1],
            fata[1] / linux[1],
        );
    }
}

/// Mbit/s to and from the guest that `start` starts.
fn measure(loss: u32, bytes: u64, start: impl Fn(&Relay<'_>) -> Program + Sync) -> [f64; 2] {
    let run = || {
        let lab = Lab::enter();
        let relay = Relay::start(&lab, Impairment::with_loss(loss), SEED);
        let guest = start(&relay);
        guest.wait_for("bulk: listening");
        let address = IpAddr::V4(GUEST_IPV4);
        [
            send_checked(address, bytes),
            receive_checked(address, bytes),
        ]
        .map(|time| bytes as f64 * 8.0 / 1e6 / time.as_secs_f64())
    };
    // A lab belongs to its thread.
    std::thread::scope(|scope| scope.spawn(run).join().expect("all bytes came right"))
}
