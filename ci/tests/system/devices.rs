//! Devices wherever a machine has them: a NIC and a disk each, which programs find and use.

use crate::disks::Disks;
use crate::support::{BENCH_LISTENING, assert_serves};
use fata_ci::{Attached, Ending, Lab, Launch, Machine, Platform, Program, QEMU, image};

/// Options of QEMU, over which the devices of a machine differ from the usual ones.
#[derive(Clone, Copy)]
struct Setup<'a> {
    machine: Machine,
    /// Arguments of QEMU itself.
    arguments: &'a [&'a str],
    /// Options of NIC and disk.
    devices: &'a str,
}

impl<'a> Setup<'a> {
    const fn new(machine: Machine, arguments: &'a [&'a str]) -> Self {
        Self {
            machine,
            arguments,
            devices: "",
        }
    }

    fn launch(self, name: &str) -> Launch {
        Launch::new(name, Platform::Machine(self.machine))
            .device_options(self.devices)
            .qemu_arguments(self.arguments.iter().copied())
    }
}

/// Asserts that a server and the disk's ten tests work on this machine.
#[track_caller]
fn assert_works(setup: Setup<'_>) {
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

/// A firmware that places no registers and numbers no buses.
const QBOOT: [&str; 2] = ["-bios", "/usr/share/qemu/qboot.rom"];

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_plain_microvm_has_devices_with_either_firmware() {
    assert_works(Setup::new(Machine::Microvm, &PLAIN));
    assert_works(Setup::new(
        Machine::Microvm,
        &[PLAIN[0], PLAIN[1], QBOOT[0], QBOOT[1]],
    ));
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn legacy_devices_work_over_memory() {
    let arguments = ["-global", "virtio-mmio.force-legacy=true"];
    assert_works(Setup::new(Machine::Microvm, &arguments));
}

/// As some clouds have them; one with longer queues than the driver wants.
#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn legacy_devices_work_over_pci() {
    for machine in [Machine::Q35, Machine::Pc] {
        assert_works(Setup::new(machine, &LEGACY));
    }
    let long = "virtio-net-pci.rx_queue_size=1024";
    let arguments = [&LEGACY[..], &["-global", long]].concat();
    assert_works(Setup::new(Machine::Q35, &arguments));
}

const LEGACY: [&str; 4] = [
    "-global",
    "virtio-pci.disable-modern=on",
    "-global",
    "virtio-pci.disable-legacy=off",
];

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn devices_that_the_firmware_has_not_placed_work() {
    for machine in [Machine::Q35, Machine::Pc] {
        assert_works(Setup::new(machine, &QBOOT));
        assert_works(Setup::new(machine, &[&QBOOT[..], &LEGACY].concat()));
    }
}

/// Bridges of PCI Express, of PCI, and three of them one behind the other.
const PORT: [&str; 2] = ["-device", "pcie-root-port,id=bus,chassis=1"];
const BRIDGE: [&str; 2] = ["-device", "pci-bridge,id=bus,chassis_nr=1"];
const CASCADE: [&str; 8] = [
    "-device",
    "pcie-root-port,id=first,chassis=1",
    "-device",
    "x3130-upstream,bus=first,id=up",
    "-device",
    "xio3130-downstream,bus=up,id=down,chassis=2",
    "-device",
    "pcie-pci-bridge,bus=down,id=bus",
];

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn devices_behind_bridges_work_with_either_firmware() {
    let bridges = [
        (Machine::Q35, &PORT[..], ",bus=bus"),
        (Machine::Q35, &CASCADE, ",bus=bus,addr=3"),
        (Machine::Pc, &BRIDGE, ",bus=bus,addr=2"),
    ];
    for (machine, bridge, devices) in bridges {
        for firmware in [&[][..], &QBOOT] {
            let arguments = [firmware, bridge].concat();
            assert_works(Setup {
                machine,
                arguments: &arguments,
                devices,
            });
        }
    }
    assert_works(Setup {
        machine: Machine::Pc,
        arguments: &[&QBOOT[..], &LEGACY, &BRIDGE].concat(),
        devices: ",bus=bus,addr=2",
    });
}

/// The monitor asks for what an IOMMU needs; there is one, which translates nothing.
#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn devices_that_ask_for_the_platforms_access_work() {
    let iommu = ["-device", "intel-iommu"];
    for arguments in [&[][..], &iommu] {
        assert_works(Setup {
            machine: Machine::Q35,
            arguments,
            devices: ",disable-legacy=on,iommu_platform=on",
        });
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_legacy_device_is_a_source_of_random_numbers() {
    let rng = ["-cpu", "max,-rdrand,-rdseed", "-device", "virtio-rng-pci"];
    for machine in [Machine::Q35, Machine::Pc] {
        let text = Launch::new("random", Platform::Machine(machine))
            .qemu_arguments([&LEGACY[..], &rng].concat())
            .start()
            .wait_success();
        assert_eq!(text.matches("INFO  random: ").count(), 3, "{text}");
    }
}

/// The error of a device that cannot be used says why, and what to do.
#[test]
#[ignore = "boots a virtual machine; ci/test runs it"]
fn a_device_without_messages_says_so() {
    let lab = Lab::enter();
    let setup = Setup {
        machine: Machine::Q35,
        arguments: &[],
        devices: ",vectors=0",
    };
    let (mut program, _) = setup.launch("bench-guest").start_in(&lab);
    let (_, text) = program.wait();
    assert!(
        text.contains("has no MSI-X") && text.contains("vectors=0"),
        "{text}"
    );
}

/// Without the means by which it tells its status otherwise, and with resets allowed: it would
/// start over for ever.
#[test]
#[ignore = "boots a virtual machine; ci/test runs it"]
fn a_plain_microvm_is_switched_off() {
    let image = image("noop");
    let kernel = image.to_str().expect("paths in the tests are UTF-8");
    let machine = ["-M", "microvm", "-kernel", kernel];
    let mut program = Program::run([&QEMU[..], &machine].concat());
    let (ending, text) = program.wait();
    assert_eq!(ending, Ending::Status(0), "{text}");
}
