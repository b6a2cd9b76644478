//! `--trace`: the phases of the start, with their times.

use fata_ci::{Launch, Machine, Platform};

/// The time of each line that `--trace` prints, with the phase that ended then.
fn phases(text: &str) -> Vec<(u64, &str)> {
    text.lines()
        .filter_map(|line| line.strip_prefix("trace:"))
        .map(|line| {
            let (times, phase) = line.split_once(": ").expect("times, then the phase");
            let (microseconds, _) = times.split_once(" us").expect("the times have units");
            let time = microseconds.trim().parse().expect("a number");
            (time, phase.trim_end())
        })
        .collect()
}

#[track_caller]
fn assert_phases(platform: Platform, expected: &[&str]) {
    let text = Launch::new("noop", platform)
        .arguments(["--trace"])
        .start()
        .wait_success();
    let seen = phases(&text);
    let names: Vec<&str> = seen.iter().map(|(_, phase)| *phase).collect();
    assert_eq!(names, expected, "{platform:?}: {text}");
    assert!(
        seen.is_sorted_by_key(|(time, _)| *time),
        "{platform:?}: {text}"
    );
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_machine_tells_the_phases_of_its_start() {
    let expected = [
        "64-bit code",
        "memory map",
        "page tables",
        "clock",
        "interrupts",
        "arguments",
        "main",
    ];
    for machine in Machine::ALL {
        assert_phases(Platform::Machine(machine), &expected);
    }
}

#[test]
#[ignore = "runs a process; ci/test runs it"]
fn a_process_tells_the_phases_of_its_start() {
    assert_phases(Platform::Process, &["arguments", "main"]);
}
