//! The tool's reports of a machine that crashed.

use crate::support::{Workspace, text};
use sha2::{Digest, Sha256};
use std::fs;
use std::process::Output;

/// The report whose path the tool wrote last.
fn crash_report(workspace: &Workspace, output: &Output) -> String {
    let messages = text(&output.stderr);
    let last = messages.lines().last().unwrap_or_default();
    let path = last.strip_prefix("fata: a report of the crash is in ");
    let path = path.unwrap_or_else(|| panic!("no report:\n{messages}"));
    fs::read_to_string(workspace.path("app").join(path)).unwrap()
}

#[test]
fn a_machine_without_status_has_failed() {
    let workspace = Workspace::new();
    workspace.install_qemu("exit 0");
    let output = workspace.run("run");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains(
        "fata: the machine stopped without a status (triple fault, reset or power-off?)\n"
    ));
    let report = crash_report(&workspace, &output);
    assert!(
        report.starts_with("app 0.1.0 crashed: the machine stopped"),
        "{report}"
    );
    assert!(
        report.ends_with("console, the last 0 lines:\n\n"),
        "{report}"
    );
}

#[test]
fn a_crash_leaves_a_report() {
    let workspace = Workspace::new();
    // Status 101, as a panic leaves it.
    workspace.install_qemu(
        r#"printf 'fata: page fault\r\n  ip 0x0000000000101000\r\n'
           exit 235"#,
    );
    let output = workspace.run("run app -- --port 80");
    assert_eq!(output.status.code(), Some(101));
    let report = crash_report(&workspace, &output);
    let image = fs::read(workspace.path("target/fata/app.elf")).unwrap();
    let sha256: String = Sha256::digest(image)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    for words in [
        "app 0.1.0 crashed: a panic",
        &sha256,
        "status     101\n",
        "arguments  --port 80\n",
        "qemu-system-x86_64 -nodefaults ",
        "fata: page fault\n  ip 0x0000000000101000 fata_boot::vm::outer (",
        "/boot/src/platform/vm.rs:",
    ] {
        assert!(report.contains(words), "no {words:?}:\n{report}");
    }
    // An exit status that the program chose is no crash.
    workspace.install_qemu("exit 39");
    workspace.run("run");
    let crashes = fs::read_dir(workspace.path("target/fata/crashes")).unwrap();
    assert_eq!(crashes.count(), 1);
}
