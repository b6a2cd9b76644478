//! The command line: what is the program's, and what monitors add for a Linux kernel.

use crate::support::{BENCH_LISTENING, MICROVM, assert_serves};
use fata_ci::{Ending, Lab, Launch, Platform};

/// The arguments that Firecracker 1.13 adds, and those that its guides have users give.
const OF_MONITORS: [&str; 7] = [
    "pci=off",
    "root=/dev/vda",
    "rw",
    "console=ttyS0,115200",
    "reboot=k",
    "panic=1",
    "8250.nr_uarts=0",
];

fn noop(platform: Platform, arguments: &[&str]) -> (Ending, String) {
    let launch = Launch::new("noop", platform).arguments(arguments.iter().copied());
    launch.start().wait()
}

/// On microvm QEMU announces the NIC behind them.
#[test]
#[ignore = "boots a virtual machine; ci/test runs it"]
fn a_server_starts_with_what_monitors_add() {
    let lab = Lab::enter();
    let (program, address) = Launch::new("bench-guest", MICROVM)
        .arguments(OF_MONITORS)
        .start_in(&lab);
    program.wait_for(BENCH_LISTENING);
    assert_serves(address);
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn what_monitors_add_is_passed_over_and_logged() {
    for platform in Platform::ALL
        .into_iter()
        .filter(|platform| *platform != Platform::Process)
    {
        let before_and_after = [&OF_MONITORS[..], &["--log=debug"], &OF_MONITORS].concat();
        let separated = [&OF_MONITORS[..], &["--", "--log=debug"]].concat();
        for arguments in [before_and_after, separated] {
            let (ending, text) = noop(platform, &arguments);
            assert_eq!(ending, Ending::Status(0), "{platform:?}: {text}");
            for word in OF_MONITORS {
                let line = format!("DEBUG boot: passed over in the command line: {word}");
                assert!(text.contains(&line), "{platform:?}: {text}");
            }
        }
    }
}

#[test]
#[ignore = "boots a virtual machine; ci/test runs it"]
fn the_programs_own_arguments_stay_strict() {
    for arguments in [&["--lgo=debug"][..], &["10.9.0.2/24"], &["--", "pci=off"]] {
        let (ending, text) = noop(MICROVM, arguments);
        assert_eq!(ending, Ending::Status(64), "{arguments:?}: {text}");
        assert!(text.contains("unknown argument: "), "{arguments:?}: {text}");
    }
}

/// Nobody adds words to it.
#[test]
#[ignore = "runs a process; ci/test runs it"]
fn a_processs_arguments_are_all_its_own() {
    for arguments in [&["pci=off"][..], &["--"]] {
        let (ending, text) = noop(Platform::Process, arguments);
        assert_eq!(ending, Ending::Status(64), "{arguments:?}: {text}");
    }
}
