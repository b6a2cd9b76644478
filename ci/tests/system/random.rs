//! Random numbers reach a program, and a crate that knows nothing of Fata, from all the machine's
//! sources that work. Without one there are no keys, but the network still works.

use crate::support::{BENCH_LISTENING, MICROVM, assert_serves};
use fata_ci::{Ending, Lab, Launch, Machine, Platform, run, target_folder};

const WEAK: &str = "weak randomness";
const ADVICE: &str = "give the machine a virtio-rng device";
/// Neither RDRAND nor RDSEED.
const NO_GENERATOR: [&str; 2] = ["-cpu", "max,-rdrand,-rdseed"];

/// The three numbers that the test image prints, and all it said.
fn numbers(options: &[&str]) -> (Vec<String>, String) {
    let tool = target_folder().join("debug/cargo-fata");
    let tool = tool.to_str().expect("paths in the tests are UTF-8");
    let output = run(tool, [&["run", "random"], options].concat());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{options:?}: {said}");
    let numbers = said
        .lines()
        .filter_map(|line| line.split_once("INFO  random: "))
        .map(|(_, number)| number.trim().to_owned());
    (numbers.collect(), said)
}

#[track_caller]
fn assert_random(options: &[&str]) {
    let (first, said) = numbers(options);
    let (second, _) = numbers(options);
    let mut all = [first, second].concat();
    assert_eq!(all.len(), 6, "{said}");
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 6, "{options:?} repeats itself: {all:?}");
    assert!(!said.contains(WEAK), "{said}");
}

/// Starts the test image on a processor without a generator. Returns what it says about having no
/// keys.
#[track_caller]
fn refusal(machine: Machine, devices: &[&str]) -> String {
    let (ending, said) = Launch::new("random", Platform::Machine(machine))
        .qemu_arguments(NO_GENERATOR)
        .qemu_arguments(devices.iter().copied())
        .start()
        .wait();
    assert_eq!(ending, Ending::Status(1), "{machine:?}: {said}");
    assert_eq!(said.matches("getrandom fails").count(), 2, "{said}");
    // Twice for getrandom, whose errors have no text, and once as the program's own error.
    assert_eq!(said.matches(ADVICE).count(), 3, "{said}");
    assert!(!said.contains("INFO  random: "), "{said}");
    said
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn the_processor_is_a_source() {
    assert_random(&["--net", "none"]);
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_virtio_device_is_a_source_where_the_processor_is_none() {
    let processor = [
        "--net",
        "none",
        "--qemu-arg",
        "-cpu",
        "--qemu-arg",
        "qemu64",
    ];
    assert_random(&processor);
    assert_random(&[&processor[..], &["--machine", "q35"]].concat());
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn without_a_source_there_are_no_keys() {
    for machine in Machine::ALL {
        refusal(machine, &[]);
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_stuck_device_is_no_source() {
    let zeros = "rng-random,filename=/dev/zero,id=entropy";
    for (machine, device) in [
        (Machine::Microvm, "virtio-rng-device,rng=entropy"),
        (Machine::Q35, "virtio-rng-pci,rng=entropy"),
    ] {
        let said = refusal(machine, &["-object", zeros, "-device", device]);
        assert!(said.contains("it is stuck at one value"), "{said}");
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_device_that_does_not_answer_is_no_source() {
    let silent = [
        "-chardev",
        "null,id=silence",
        "-object",
        "rng-egd,chardev=silence,id=entropy",
    ];
    for (machine, device) in [
        (Machine::Microvm, "virtio-rng-device,rng=entropy"),
        (Machine::Q35, "virtio-rng-pci,rng=entropy"),
    ] {
        let said = refusal(machine, &[&silent[..], &["-device", device]].concat());
        assert!(said.contains("does not answer"), "{said}");
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn the_network_needs_no_keys() {
    let lab = Lab::enter();
    let (program, address) = Launch::new("bench-guest", MICROVM)
        .qemu_arguments(NO_GENERATOR)
        .start_in(&lab);
    let said = program.wait_for(BENCH_LISTENING);
    assert!(said.contains(WEAK) && said.contains(ADVICE), "{said}");
    assert_serves(address);
}

#[test]
#[ignore = "runs a process; ci/test runs it"]
fn the_host_is_a_source_of_a_process() {
    assert_random(&["--vmm", "process"]);
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_device_reaches_memory_above_four_gibibytes() {
    assert_random(&[
        "--net",
        "none",
        "--memory",
        "6G",
        "--qemu-arg=-cpu",
        "--qemu-arg",
        "qemu64",
    ]);
}

/// The machine's time passes at once while it sleeps, so minutes take none.
#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn all_sources_give_new_seeds_each_minute() {
    let virtio = [
        "-object",
        "rng-random,filename=/dev/urandom,id=entropy",
        "-device",
        "virtio-rng-device,rng=entropy",
    ];
    let said = Launch::new("random", MICROVM)
        .arguments(["--log=debug", "--keys=10", "--pause=20"])
        .qemu_arguments(["-icount", "shift=0,sleep=off"])
        .qemu_arguments(virtio)
        .start()
        .wait_success();
    let seeds = |source: &str| said.matches(&format!("a new seed from {source}")).count();
    // At the start, and after one, two and three minutes. QEMU 7.2 emulates no RDSEED.
    assert_eq!(seeds("RDRAND"), 4, "{said}");
    // It may take its time, except for the first.
    assert!((2..=4).contains(&seeds("the virtio-rng device")), "{said}");
}
