//! Random numbers reach a crate that knows nothing of Fata, whatever the machine has for a source.

use fata_ci::{run, target_folder};

const WEAK: &str = "weak randomness";

/// The two numbers that the test image prints, and all it said.
fn numbers(options: &[&str]) -> (Vec<String>, String) {
    let tool = target_folder().join("debug/cargo-fata");
    let tool = tool.to_str().expect("paths in the tests are UTF-8");
    let output = run(tool, [&["run", "random"], options].concat());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{options:?}: {said}");
    let numbers = said
        .lines()
        .filter_map(|line| line.split_once("random: "))
        .map(|(_, number)| number.trim().to_owned());
    (numbers.collect(), said)
}

#[track_caller]
fn assert_random(options: &[&str]) {
    let (first, said) = numbers(options);
    let (second, _) = numbers(options);
    let mut all = [first, second].concat();
    assert_eq!(all.len(), 4, "{said}");
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 4, "{options:?} repeats itself: {all:?}");
    assert!(!said.contains(WEAK), "{said}");
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
#[ignore = "runs a process; ci/test runs it"]
fn the_host_is_a_source_of_a_process() {
    assert_random(&["--vmm", "process"]);
}
