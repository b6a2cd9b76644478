//! Disks of programs, on each platform: names, rights, what is written, and the sandbox.

use crate::support::MICROVM;
use fata_ci::{Attached, Ending, Launch, Platform, run, target_folder};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A disk's size, which the program's exercise divides without a rest.
const SIZE: u64 = 1 << 20;

/// Disks in a folder that goes with the test.
pub struct Disks(TempDir);

impl Disks {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("there is room for a folder"))
    }

    /// A new disk, whose first sector begins with its name.
    pub fn make(&self, name: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, name).expect("there is room for a disk");
        let file = File::options().write(true).open(&path);
        file.and_then(|file| file.set_len(SIZE))
            .expect("there is room for a disk");
        path
    }
}

/// Returns whether the file still has its size and begins with just this text.
pub fn begins_with(path: &Path, text: &str) -> bool {
    let bytes = fs::read(path).expect("the disk is there");
    bytes.len() as u64 == SIZE && bytes.starts_with(text.as_bytes()) && bytes[text.len()] == 0
}

fn launch(platform: Platform) -> Launch {
    Launch::new("disk", platform)
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn what_a_program_writes_is_in_the_file() {
    for platform in Platform::ALL {
        let disks = Disks::new();
        let path = disks.make("first");
        let text = launch(platform)
            .attach(Attached::new(&path))
            .arguments(["--exercise", "--write=written"])
            .start()
            .wait_success();
        assert!(text.contains("data: every sector was right"), "{text}");
        let expected = "data: 2048 sectors of 512 bytes, writable, begins with \"written\"";
        assert!(text.contains(expected), "{platform:?}: {text}");
        assert!(begins_with(&path, "written"), "{platform:?}");
        let text = launch(platform)
            .attach(Attached::new(&path).read_only())
            .start()
            .wait_success();
        let expected = "data: 2048 sectors of 512 bytes, read-only, begins with \"written\"";
        assert!(text.contains(expected), "{platform:?}: {text}");
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn disks_are_found_by_name_then_in_order() {
    for platform in Platform::ALL {
        let disks = Disks::new();
        let attached = |name| Attached::new(&disks.make(name));
        let text = launch(platform)
            .attach(attached("one"))
            .attach(attached("two").name("log"))
            .attach(attached("three"))
            .attach(attached("four").name("data"))
            .arguments(["--open=any,data,log,other"])
            .start()
            .wait_success();
        let found: Vec<_> = text.split("begins with \"").skip(1).collect();
        let found: Vec<_> = found.iter().map(|rest| rest.split('"').next()).collect();
        let expected = ["one", "four", "two", "three"].map(Some);
        assert_eq!(found, expected, "{platform:?}: {text}");
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_disk_that_is_not_there_is_an_error() {
    for platform in [Platform::Process, MICROVM] {
        let disks = Disks::new();
        let launch = launch(platform).attach(Attached::new(&disks.make("log")).name("log"));
        let (ending, text) = launch.start().wait();
        assert_eq!(ending, Ending::Status(1), "{platform:?}: {text}");
        assert!(text.contains("attach one with --disk FILE"), "{text}");
        let launch = launch.arguments(["--open=log", "--write=x"]);
        launch.start().wait_success();
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_read_only_disk_is_not_written() {
    for platform in Platform::ALL {
        let disks = Disks::new();
        let path = disks.make("kept");
        let (ending, text) = launch(platform)
            .attach(Attached::new(&path).read_only())
            .arguments(["--write=lost"])
            .start()
            .wait();
        assert_eq!(ending, Ending::Status(1), "{platform:?}: {text}");
        assert!(
            text.contains("the disk is read-only"),
            "{platform:?}: {text}"
        );
        assert!(begins_with(&path, "kept"), "{platform:?}");
    }
}

#[test]
#[ignore = "needs cargo; ci/test runs it"]
fn the_tool_attaches_disks() {
    let disks = Disks::new();
    let path = disks.make("tool");
    let file = |options: &str| format!("data={}{options}", path.display());
    let tool = target_folder().join("debug/cargo-fata");
    let tool = tool.to_str().expect("paths in the tests are UTF-8");
    let attach = |machine, file: &str, arguments: &[&str]| {
        let words = ["run", "disk", "--machine", machine, "--disk", file, "--"];
        run(tool, words.iter().chain(arguments))
    };
    for machine in ["microvm", "q35", "pc"] {
        let output = attach(machine, &file(""), &["--write", machine]);
        assert!(output.status.success(), "{output:?}");
        assert!(begins_with(&path, machine));
    }
    let output = attach("microvm", &file(",ro"), &["--write", "lost"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("the disk is read-only"), "{text}");
    let output = attach("microvm", "/no/such/disk", &[]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && text.contains("/no/such/disk: no such file"),
        "{text}"
    );
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn ten_tests_of_a_disk_pass() {
    for platform in Platform::ALL {
        let disks = Disks::new();
        let text = Launch::new("block", platform)
            .attach(Attached::new(&disks.make("disk")))
            .start()
            .wait_success();
        assert!(
            text.contains("10 tests: 10 passed, 0 failed"),
            "{platform:?}: {text}"
        );
    }
    let disks = Disks::new();
    let (ending, text) = Launch::new("block", MICROVM)
        .attach(Attached::new(&disks.make("disk")).read_only())
        .start()
        .wait();
    assert_eq!(ending, Ending::Status(1), "{text}");
    // Calls that are refused for their place are refused for another reason here.
    assert!(text.contains("2 passed, 8 failed"), "{text}");
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn the_lottery_keeps_its_best_number() {
    for platform in [Platform::Process, MICROVM] {
        let disks = Disks::new();
        let path = disks.make("lottery");
        let play = |arguments: &[&str]| {
            let launch = Launch::new("disk-lottery", platform).attach(Attached::new(&path));
            launch.arguments(arguments.iter().copied()).start().wait()
        };
        assert_eq!(play(&[]).0, Ending::Status(6), "a slot without a record");
        assert_eq!(
            play(&["--slot=2048"]).0,
            Ending::Status(5),
            "beyond the end"
        );
        let (ending, text) = play(&["--slot=3", "--reset"]);
        assert_eq!(ending, Ending::Status(0), "{text}");
        assert!(text.contains("wins: the best of slot 3 was 0"), "{text}");
        assert_eq!(&fs::read(&path).expect("it is there")[1536..1540], b"LOTO");
        for _ in 0..3 {
            let best = best(&path);
            let (ending, text) = play(&["--slot=3"]);
            assert_eq!(ending, Ending::Status(0), "{text}");
            let won = text.contains("wins: the best of slot 3 was");
            assert!(text.contains(&best.to_string()), "{text}");
            let (now, is_kept) = (self::best(&path), !won);
            assert_eq!(now == best, is_kept, "{best}, then {now}: {text}");
            assert!(now >= best);
        }
        assert_eq!(play(&["--slot=4"]).0, Ending::Status(6), "another slot");
        assert_eq!(play(&["--reset-all"]).0, Ending::Status(0));
        assert_eq!(play(&["--slot=2047"]).0, Ending::Status(0));
    }
}

/// The number in slot 3.
fn best(path: &Path) -> u32 {
    let bytes = fs::read(path).expect("the disk is there");
    let number = bytes[1540..1544].try_into().expect("there are four");
    u32::from_be_bytes(number)
}
