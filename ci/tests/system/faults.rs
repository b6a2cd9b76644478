//! Programs that go wrong say what happened and where, and end with a failure.

use fata_ci::{Ending, Launch, PATIENCE, Platform, target_folder, workspace};
use std::process::{Command, Stdio};

/// Runs the test image with a fault of that kind, through the tool that names source lines.
fn report(kind: &str, options: &[&str]) -> (Option<i32>, String) {
    let tool = target_folder().join("debug/cargo-fata");
    let limit = PATIENCE.as_secs().to_string();
    // timeout kills the tool, and with it the machine, if the fault hangs.
    let output = Command::new("timeout")
        .args(["--kill-after=5", &limit])
        .arg(tool)
        .args(["run", "fault"])
        .args(options)
        .args(["--", "--kind", kind])
        .current_dir(workspace())
        .env("CARGO_TARGET_DIR", target_folder())
        .stdin(Stdio::null())
        .output()
        .expect("timeout is installed");
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text += &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), text)
}

#[track_caller]
fn assert_report(kind: &str, words: &[&str], options: &[&str]) {
    let (status, text) = report(kind, options);
    assert!(
        matches!(status, Some(code) if !matches!(code, 0 | 124 | 137)),
        "{kind} with {options:?} ended with {status:?}:\n{text}"
    );
    for word in words {
        assert!(
            text.to_lowercase().contains(word),
            "no {word:?} for {kind}:\n{text}"
        );
    }
    // The function that does it, its file and a line of it.
    let line = text
        .lines()
        .find(|line| line.contains("fault/src/main.rs:"));
    assert!(
        line.is_some(),
        "no source line for {kind} with {options:?}:\n{text}"
    );
}

const KINDS: &[(&str, &[&str])] = &[
    ("page-fault", &["page fault"]),
    ("null", &["page fault", "null pointer"]),
    ("write-code", &["page fault", "cannot be written"]),
    ("write-constant", &["page fault", "cannot be written"]),
    ("execute-data", &["page fault", "cannot be executed"]),
    ("divide-by-zero", &["divi"]),
    ("stack-overflow", &["the stack overflowed"]),
    ("heap-exhausted", &["memory"]),
    ("panic", &["this is what a panic looks like"]),
];

fn assert_reports_on(machine: &str) {
    for (kind, words) in KINDS {
        assert_report(kind, words, &["--machine", machine, "--net", "none"]);
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn every_fault_is_reported_on_microvm() {
    assert_reports_on("microvm");
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn every_fault_is_reported_on_q35() {
    assert_reports_on("q35");
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_panic_is_reported_on_pc() {
    assert_report(
        "panic",
        &["panic", "this is what a panic looks like"],
        &["--machine", "pc", "--net", "none"],
    );
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_full_heap_is_an_error_that_a_program_survives() {
    for options in [&["--net", "none"][..], &["--vmm", "process"]] {
        let (status, text) = report("try-reserve", options);
        assert_eq!(status, Some(0), "{options:?}: {text}");
        // A process is not let to fill the host's memory.
        let is_machine = options[0] == "--net";
        assert_eq!(text.contains(" pieces, then: "), is_machine, "{text}");
    }
}

#[test]
#[ignore = "runs a process; ci/test runs it"]
fn a_panic_is_reported_by_a_process() {
    assert_report(
        "panic",
        &["panic", "this is what a panic looks like"],
        &["--vmm", "process"],
    );
}

/// The host's own protections: each kind, the signal that ends the process, and what is said.
const ENDINGS: &[(&str, i32, &str)] = &[
    ("page-fault", SIGSEGV, ""),
    ("null", SIGSEGV, ""),
    ("write-code", SIGSEGV, ""),
    ("write-constant", SIGSEGV, ""),
    ("execute-data", SIGSEGV, ""),
    ("divide-by-zero", SIGFPE, ""),
    ("stack-overflow", SIGABRT, "overflowed its stack"),
    ("heap-exhausted", SIGABRT, "memory allocation of"),
];

const SIGABRT: i32 = 6;
const SIGFPE: i32 = 8;
const SIGSEGV: i32 = 11;

fn process(arguments: &[&str]) -> (Ending, String) {
    let launch = Launch::new("fault", Platform::Process).arguments(arguments.iter().copied());
    launch.start().wait()
}

fn assert_ends_processes(arguments: &[&str]) {
    for (kind, signal, word) in ENDINGS {
        let (ending, text) = process(&[&["--kind", kind], arguments].concat());
        assert_eq!(ending, Ending::Signal(*signal), "{kind}: {text}");
        assert!(text.contains("about to go wrong"), "{kind}: {text}");
        assert!(text.contains(word), "{kind}: {text}");
    }
    let (ending, text) = process(&[&["--kind", "panic"], arguments].concat());
    assert_eq!(ending, Ending::Status(101), "{text}");
    assert!(text.contains("this is what a panic looks like"), "{text}");
}

#[test]
#[ignore = "runs a process; ci/test runs it"]
fn every_fault_ends_a_process() {
    assert_ends_processes(&[]);
}

#[test]
#[ignore = "runs a process; ci/test runs it"]
fn every_fault_ends_a_sandboxed_process_in_the_same_way() {
    assert_ends_processes(&["--sandbox"]);
}

#[test]
#[ignore = "needs cargo; ci/test runs it"]
fn an_unknown_fault_is_an_error_of_usage() {
    let (status, text) = report("gremlin", &["--vmm", "process"]);
    assert_eq!(status, Some(64), "{text}");
    assert!(
        text.contains("gremlin") && text.contains("stack-overflow"),
        "{text}"
    );
}
