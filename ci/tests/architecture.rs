//! Holds the table of crates in ARCHITECTURE.md against what cargo says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

type Dependencies = BTreeMap<String, BTreeSet<String>>;

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn is_ours(name: &str) -> bool {
    name.starts_with("fata-") || name == "cargo-fata"
}

/// The rows `| crate | folder | its crates | ...`, names between backquotes.
fn documented() -> Dependencies {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("it is in the repository");
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').collect();
        let quoted = |cell: &str| -> Vec<String> {
            cell.split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect()
        };
        let name = quoted(cells[1]).remove(0);
        (name, quoted(cells[3]).into_iter().collect())
    })
    .collect()
}

/// The same from `cargo tree`, without examples and test images.
fn actual() -> Dependencies {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--all-features", "--edges", "normal"])
        .args([
            "--no-dedupe",
            "--depth",
            "1",
            "--prefix",
            "depth",
            "--format",
            " {p}",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs this test");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("names are text");
    let mut dependencies = Dependencies::new();
    let mut current = String::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("0"), Some(name)) => {
                current = name.to_owned();
                if is_ours(name) {
                    dependencies.entry(current.clone()).or_default();
                }
            }
            (Some(_), Some(name)) if is_ours(name) && is_ours(&current) => {
                let set = dependencies.entry(current.clone()).or_default();
                set.insert(name.to_owned());
            }
            _ => {}
        }
    }
    dependencies
}

#[test]
fn the_table_of_crates_is_true() {
    assert_eq!(documented(), actual(), "documented, then actual");
}
