//! `cargo fata` as a user types it.

use fata_ci::{Client, Ending, Lab, Program, run, succeed, target_folder};
use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;

/// Path of the tool.
pub fn tool() -> String {
    let path = target_folder().join("debug/cargo-fata");
    path.into_os_string()
        .into_string()
        .expect("paths in the tests are UTF-8")
}

/// A folder of a test's own that is removed with it.
pub struct Scratch(pub PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // A folder that cannot be removed is only in the way.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Arguments of `env` that run a command as a user does, who does not build in these tests' folder.
fn alone<'a>(command: &[&'a str]) -> Vec<&'a str> {
    [&["-u", "CARGO_TARGET_DIR"], command].concat()
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_new_project_builds_and_serves_at_once() {
    // Outside of this workspace, as a user's project is.
    let folder = Scratch(std::env::temp_dir().join(format!("fata-new-{}", std::process::id())));
    let path = folder.0.join("shop");
    let path = path
        .to_str()
        .expect("paths in the tests are UTF-8")
        .to_owned();
    let tool = tool();
    succeed(&tool, ["new", &path]);
    // Both platforms, where port 8080 is this test's own.
    let _lab = Lab::enter();
    let manifest = format!("{path}/Cargo.toml");
    // Built beforehand: how long that takes is the machine's affair.
    for program in [tool.as_str(), "cargo"] {
        let words = alone(&[program, "build", "--manifest-path", &manifest]);
        let built = run("env", words);
        let said = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "{said}");
        assert!(!said.contains("warning"), "{said}");
    }
    for options in [&["--publish", "8080:8080"][..], &["--vmm", "process"]] {
        let words = alone(&[&tool, "run", "--manifest-path", &manifest]);
        let mut program = Program::run([&["env"], &words[..], options].concat());
        program.wait_for("serving on port 8080");
        let mut client = Client::connect(Ipv4Addr::LOCALHOST.into(), 8080).expect("it accepts");
        assert_eq!(client.get("/").expect("it answers").status, 200);
        program.interrupt();
        assert_eq!(program.wait().0, Ending::Status(130), "{options:?}");
    }
}

#[test]
#[ignore = "boots a virtual machine; ci/test runs it"]
fn a_debugger_stops_at_the_main_function() {
    // Port 1234 is this test's own.
    let _lab = Lab::enter();
    let mut program = Program::run([tool().as_str(), "run", "noop", "--net", "none", "--gdb"]);
    let symbols = target_folder().join("fata/noop.debug");
    let symbols = symbols.to_str().expect("paths in the tests are UTF-8");
    // gdb tries for a while until the machine listens.
    let commands = [
        "target remote 127.0.0.1:1234",
        "break fata_main",
        "continue",
        "backtrace",
        "detach",
    ];
    let arguments = ["-batch", "-nx", symbols].into_iter();
    let said = succeed(
        "gdb",
        arguments.chain(commands.into_iter().flat_map(|command| ["-ex", command])),
    );
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("Breakpoint 1"), "{said}");
    assert!(said.contains("boot/src/platform/vm/start.rs:"), "{said}");
    assert_eq!(program.wait().0, Ending::Status(0));
}

#[test]
#[ignore = "needs the images; ci/test runs it"]
fn help_says_what_can_be_typed() {
    let help = String::from_utf8(succeed(&tool(), ["--help"])).expect("help is text");
    for word in ["new", "build", "image", "inspect", "run", "Examples:"] {
        assert!(help.contains(word), "no {word} in:\n{help}");
    }
}
