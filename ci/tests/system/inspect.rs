//! Reports on an image and a crash: `cargo fata inspect`, reports of crashes, images that are the
//! same wherever they are built.

use crate::tool::{Scratch, tool};
use fata_ci::{image, run, succeed, target_folder, workspace};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn inspect(name: &str) -> String {
    let image = image(name).into_os_string();
    let said = succeed(&tool(), ["inspect".into(), image]);
    String::from_utf8(said).expect("it writes text")
}

/// The lines under the first one that ends so, up to an empty one.
fn below<'a>(text: &'a str, title: &str) -> Vec<&'a str> {
    let lines = text.lines().skip_while(|line| !line.contains(title));
    lines.skip(1).take_while(|line| !line.is_empty()).collect()
}

/// Name and version of the packages that cargo would link into an image of `package`.
fn linked_by_cargo(package: &str) -> BTreeSet<String> {
    let tree = Command::new("cargo")
        .args(["tree", "--package", package, "--prefix", "none"])
        .args(["--edges", "normal,no-proc-macro"])
        .args(["--target", "x86_64-unknown-linux-gnu"])
        .env(
            "RUSTFLAGS",
            "--cfg fata_vm --cfg getrandom_backend=\"custom\"",
        )
        .current_dir(workspace())
        .output()
        .expect("cargo is installed");
    let tree = String::from_utf8(tree.stdout).expect("names are text");
    tree.lines()
        .filter_map(|line| line.split_once(" v"))
        .map(|(name, rest)| format!("{name} {}", rest.split(' ').next().unwrap_or_default()))
        .collect()
}

#[test]
#[ignore = "needs the images; ci/test runs it"]
fn an_image_lists_the_crates_that_are_in_it() {
    for name in ["hello", "site"] {
        let said = inspect(name);
        let listed: BTreeSet<String> = below(&said, " crates in the image")
            .iter()
            .map(|line| {
                line.split_whitespace()
                    .take(2)
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect();
        assert_eq!(listed, linked_by_cargo(name), "{said}");
        assert!(!said.contains("no licence declared"), "{said}");
    }
}

#[test]
#[ignore = "needs the images; ci/test runs it"]
fn an_image_says_what_takes_its_room() {
    let said = inspect("hello");
    for words in [
        "hello 0.1.0: ",
        "by PVH, entered at 0x1",
        "(stack: 256 KiB)",
    ] {
        assert!(said.contains(words), "no {words:?}:\n{said}");
    }
    let number = |line: &str, column: usize| -> u64 {
        let word = line.split_whitespace().nth_back(column);
        word.and_then(|word| word.parse().ok())
            .unwrap_or_else(|| panic!("no number in {line:?}:\n{said}"))
    };
    // Text, read-only data, data, zeroed data: the table has exactly what is loaded.
    let table = below(&said, "bytes by crate");
    let (sum, rows) = table.split_last().expect("there is a sum");
    assert!(rows.iter().any(|row| row.trim().starts_with("fata-boot ")));
    let segments = below(&said, "segments ");
    for (segment, column) in [(3, 0), (2, 1)] {
        let added: u64 = rows.iter().map(|row| number(row, column)).sum();
        assert_eq!(added, number(sum, column), "{said}");
        assert_eq!(added, number(segments[segment], 0), "{said}");
    }
}

/// Runs the test image with a fault of that kind and returns what it left behind.
fn crash_report(kind: &str) -> String {
    let arguments = ["run", "fault", "--net", "none", "--", "--kind", kind];
    let output = Command::new(tool())
        .args(arguments)
        .current_dir(workspace())
        .env("CARGO_TARGET_DIR", target_folder())
        .output()
        .expect("the tool was built");
    let messages = String::from_utf8_lossy(&output.stderr).into_owned();
    let path = messages
        .lines()
        .find_map(|line| line.strip_prefix("fata: a report of the crash is in "));
    let path = path.unwrap_or_else(|| panic!("no report:\n{messages}"));
    fs::read_to_string(workspace().join(path)).expect("the report is there")
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_crash_leaves_a_report_with_function_and_line() {
    for (kind, function, words) in [
        ("null", "fault::read", ["fata: page fault", "rax 0x"]),
        (
            "panic",
            "fault::app::{{closure}}",
            ["this is what a panic looks like", "heap: "],
        ),
    ] {
        let report = crash_report(kind);
        assert!(report.starts_with("fault 0.1.0 crashed: "), "{report}");
        let arguments = format!("arguments  --kind {kind}\n");
        let place = format!("{function} (ci/images/fault/src/main.rs:");
        let expected = [&arguments, "\nsha256     ", "status     101\n", &place];
        for words in expected.into_iter().chain(words) {
            assert!(report.contains(words), "no {words:?}:\n{report}");
        }
    }
}

/// Copies what belongs to the workspace, not what was built from it.
fn copy_workspace(to: &Path) {
    let listed = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(workspace())
        .output()
        .expect("git is installed");
    assert!(
        listed.status.success(),
        "the sources are in a git repository"
    );
    let listed = String::from_utf8(listed.stdout).expect("names are text");
    for name in listed.split_terminator('\0') {
        let copy = to.join(name);
        let folder = copy.parent().expect("it is below the folder");
        fs::create_dir_all(folder).expect("there is room");
        // A file that was removed but is still in the index is not there.
        let _ = fs::copy(workspace().join(name), copy);
    }
}

#[test]
#[ignore = "needs the images; ci/test runs it"]
fn the_same_sources_elsewhere_make_the_same_images() {
    let folder = Scratch(std::env::temp_dir().join(format!("fata-same-{}", std::process::id())));
    copy_workspace(&folder.0);
    for name in ["noop", "hello"] {
        let built = Command::new(tool())
            .args(["build", name])
            .current_dir(&folder.0)
            .env("CARGO_TARGET_DIR", "target")
            .output()
            .expect("the tool was built");
        assert!(
            built.status.success(),
            "{}",
            String::from_utf8_lossy(&built.stderr)
        );
        let there: PathBuf = folder.0.join(format!("target/fata/{name}.elf"));
        let (there, here) = (fs::read(there), fs::read(image(name)));
        assert!(
            there.expect("it was built") == here.expect("it was built"),
            "{name} differs"
        );
    }
}

#[test]
#[ignore = "needs the tool; ci/test runs it"]
fn what_is_no_image_is_refused() {
    let output = run(&tool(), ["inspect", "/proc/self/exe"]);
    let messages = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{messages}");
    assert!(
        messages.contains("has no section .fata.manifest"),
        "{messages}"
    );
}
