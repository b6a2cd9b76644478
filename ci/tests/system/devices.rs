//! Devices wherever a machine has them: a card and a disk each, which programs find and use.

use crate::disks::Disks;
use crate::support::{BENCH_LISTENING, assert_serves};
use fata_ci::{Attached, Ending, Home, Lab, Launch, Machine};

/// Options of QEMU, over which the devices of a machine differ from the usual ones.
#[derive(Clone, Copy)]
struct Setup {
    machine: Machine,
    /// Arguments of QEMU itself.
    arguments: &'static [&'static str],
    /// Options of card and disk.
    devices: &'static str,
}

impl Setup {
    const fn new(machine: Machine, arguments: &'static [&'static str]) -> Self {
        Self {
            machine,
            arguments,
            devices: "",
        }
    }

    fn launch(self, name: &str) -> Launch {
        Launch::new(name, Home::Machine(self.machine))
            .device_options(self.devices)
            .qemu_arguments(self.arguments.iter().copied())
    }
}

/// Asserts that a server and the disk's ten tests work on this machine.
#[track_caller]
fn assert_works(setup: Setup) {
    let lab = Lab::enter();
    let (program, address) = setup.launch("bench-guest").start_in(&lab);
    program.wait_for(BENCH_LISTENING);
    assert_serves(address);
    drop(program);
    let disks = Disks::new();
    let disk = Attached::new(&disks.make("disk"));
    let text = setup.launch("block").attach(disk).start().wait_success();
    assert!(text.contains("10 tests: 10 passed, 0 failed"), "{text}");
}

/// The machine as QEMU has it unless it is asked for less: the command line names no devices,
/// they speak the legacy interface, and their interrupts go to a second I/O APIC.
const PLAIN: [&str; 4] = [
    "-machine",
    "acpi=on",
    "-global",
    "virtio-mmio.force-legacy=true",
];

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_plain_microvm_has_devices() {
    assert_works(Setup::new(Machine::Microvm, &PLAIN));
}

/// Without the means by which it tells its status otherwise, and with resets allowed: it would
/// start over for ever.
#[test]
#[ignore = "boots a virtual machine; ci/test runs it"]
fn a_plain_microvm_is_switched_off() {
    let image = fata_ci::image("noop");
    let kernel = image.to_str().expect("paths in the tests are UTF-8");
    let mut program = fata_ci::Program::run([
        "qemu-system-x86_64",
        "-accel",
        "tcg",
        "-M",
        "microvm",
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-serial",
        "stdio",
        "-kernel",
        kernel,
    ]);
    let (ending, text) = program.wait();
    assert_eq!(ending, Ending::Status(0), "{text}");
}
