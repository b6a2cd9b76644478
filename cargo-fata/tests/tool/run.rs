//! Programs in QEMU and as a process: their arguments, their consoles and their statuses.

use crate::support::{Workspace, text};
use std::fs;
use std::io::{Read, Write};
use std::process::Stdio;

#[test]
fn run_explains_addresses_and_returns_the_guests_status() {
    let workspace = Workspace::new();
    workspace.install_qemu(
        r#"printf '<%s>\n' "$@"
           printf '  ip 0x0000000000101000\r\n  ip 0x0000000000100000\r\n'
           printf '  at 0x0000000000000001\r\nno line end'
           exit 39"#,
    );
    let output = workspace.run("run app --machine pc --publish 8080:80 -- --hello a\\b");
    let console = text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(3),
        "{console}{}",
        text(&output.stderr)
    );
    for argument in [
        "<pc>",
        "<user,id=net0,hostfwd=tcp:127.0.0.1:8080-:80>",
        r#"<--hello "a\\b">"#,
    ] {
        assert!(console.contains(argument), "{console}");
    }
    let (_, report) = console.split_once("  ip ").unwrap();
    let lines: Vec<&str> = report.split("\r\n").collect();
    // The second function has nothing inlined, which leaves it out of the debug information.
    for (line, place) in lines.iter().zip([
        "0x0000000000101000 fata_boot::vm::outer (",
        "  ip 0x0000000000100000 _start (",
    ]) {
        assert!(line.starts_with(place), "{report}");
        assert!(line.contains("/boot/src/platform/vm.rs:"), "{report}");
    }
    assert_eq!(lines[2..], ["  at 0x0000000000000001", "no line end"]);
}

#[test]
fn run_as_a_process_passes_arguments_and_status() {
    let workspace = Workspace::new();
    let output = workspace.run("run --vmm process -- --port 80");
    assert_eq!(text(&output.stdout), "[\"--port\", \"80\"]\n");
    assert_eq!(output.status.code(), Some(5));
}

#[test]
fn what_belongs_to_a_machine_is_refused_for_a_process() {
    let workspace = Workspace::new();
    for (option, hint) in [
        (
            "--disk disk.img",
            "--disk belongs to the program's own arguments",
        ),
        (
            "--net tap=tap0",
            "--net belongs to the program's own arguments",
        ),
        ("--memory 64M", "--memory means nothing there; leave it out"),
    ] {
        workspace.refuses(&format!("run --vmm process {option}"), 1, hint);
    }
}

#[test]
fn a_missing_qemu_is_named_before_anything_is_built() {
    let workspace = Workspace::new();
    workspace.refuses("run", 127, "apt-get install qemu-system-x86");
}

#[test]
fn a_tool_that_is_replaced_while_it_builds_starts_the_machine() {
    let workspace = Workspace::new();
    workspace.install_qemu("exit 33");
    let copy = workspace.path("cargo-fata");
    fs::copy(env!("CARGO_BIN_EXE_cargo-fata"), &copy).unwrap();
    let remove = format!("rm -f {}", copy.display());
    workspace.install("cargo", &format!("{remove}; exec {} \"$@\"", env!("CARGO")));
    let mut tool = workspace.tool_at(&copy, "run");
    let output = tool.env("CARGO", "cargo").output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(!copy.exists());
}

#[test]
fn input_reaches_the_machine_and_its_prompt_appears_at_once() {
    let workspace = Workspace::new();
    workspace.install_qemu("printf 'name? '; read name; echo \"hello $name\"; exit 33");
    let mut tool = workspace
        .tool("run")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut console = tool.stdout.take().unwrap();
    let mut prompt = [0; 6];
    console.read_exact(&mut prompt).unwrap();
    assert_eq!(&prompt, b"name? ");
    tool.stdin.take().unwrap().write_all(b"Fata\n").unwrap();
    let mut rest = String::new();
    console.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "hello Fata\n");
    assert!(tool.wait().unwrap().success());
}

#[test]
fn a_machine_too_small_for_the_image_is_not_started() {
    let workspace = Workspace::new();
    workspace.install_qemu("exit 33");
    let output = workspace.run("run --memory 1M");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("it takes --memory 10"));
    assert!(workspace.run("run --memory 2M").status.success());
}
