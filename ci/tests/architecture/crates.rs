//! Holds the table of crates in ARCHITECTURE.md and the layers below against what cargo says.

use std::fs;
use std::process::Command;

use crate::graph::Graph as Dependencies;
use crate::packages::root;

/// From the bottom up. A crate may use those of the layers below its own. All others, the
/// applications and tools, stand above.
const LAYERS: &[&[&str]] = &[
    &["fata-http-build", "fata-memory", "fata-time", "fata-virtio"],
    &["fata-task", "fata-tcp"],
    &["fata-block", "fata-console", "fata-net"],
    &["fata-kv", "fata-tcpip"],
    &["fata-fat", "fata-queue", "fata-store"],
    &["fata-boot", "fata-http"],
];

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

/// The dependencies of this repository's packages, from `cargo tree`.
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
                dependencies.entry(current.clone()).or_default();
            }
            (Some(_), Some(name)) => {
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
    let mut actual = actual();
    actual.retain(|name, _| is_ours(name));
    for dependencies in actual.values_mut() {
        dependencies.retain(|name| is_ours(name));
    }
    assert_eq!(documented(), actual, "documented, then actual");
}

#[test]
fn no_crate_depends_upwards() {
    let layer = |name: &str| {
        let found = LAYERS.iter().position(|layer| layer.contains(&name));
        found.unwrap_or(LAYERS.len())
    };
    let actual = actual();
    let mut upwards = Vec::new();
    for (name, dependencies) in &actual {
        let ours = dependencies
            .iter()
            .filter(|other| actual.contains_key(*other));
        let application = layer(name) == LAYERS.len();
        let wrong = ours.filter(|other| layer(name) <= layer(other) && !application);
        upwards.extend(wrong.map(|other| (name, other)));
    }
    assert!(upwards.is_empty(), "{upwards:?}");
    let documented = documented();
    let unplaced = documented.keys().filter(|name| {
        let tool = matches!(name.as_str(), "cargo-fata" | "fata-ci");
        layer(name) == LAYERS.len() && !tool
    });
    assert_eq!(unplaced.collect::<Vec<_>>(), Vec::<&String>::new());
}

/// The crates in each row of ARCHITECTURE.md's picture, from the bottom up.
#[test]
fn the_picture_of_the_layers_is_true() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("it is in the repository");
    let picture = text.split("```").nth(1).expect("a picture");
    let row = |line: &str| -> Vec<String> {
        let words = line.split(|letter: char| letter.is_whitespace() || "(),".contains(letter));
        let mut names: Vec<_> = words
            .filter(|word| is_ours(word))
            .map(str::to_owned)
            .collect();
        names.sort();
        names
    };
    let rows = picture.lines().rev().map(row);
    let drawn: Vec<_> = rows.filter(|names| !names.is_empty()).collect();
    assert_eq!(drawn, LAYERS, "drawn, then in this file");
}
