//! Programs that go wrong say what happened and where, and end with a failure.

use fata_ci::{PATIENCE, target_folder, workspace};
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
#[ignore = "runs a process; ci/test runs it"]
fn a_panic_is_reported_by_a_process() {
    assert_report(
        "panic",
        &["panic", "this is what a panic looks like"],
        &["--vmm", "process"],
    );
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
