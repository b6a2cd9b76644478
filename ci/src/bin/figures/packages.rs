//! The packages that each library crate pulls.

use fata_ci::{Figures, succeed};
use std::collections::BTreeSet;

/// The crate of the harness is no library for others.
const HARNESS: &str = "fata-ci";

pub fn measure(figures: &mut Figures) {
    let all = tree(&["--workspace", "--depth", "0"]);
    let names = all.iter().filter_map(|line| line.split_whitespace().next());
    for name in names.filter(|name| name.starts_with("fata-") && *name != HARNESS) {
        let packages = tree(&["-p", name, "-e", "normal"]).len();
        figures.add(format!("packages.{name}"), packages as u64);
    }
}

/// The different packages of `cargo tree`, the crate itself among them.
fn tree(options: &[&str]) -> BTreeSet<String> {
    let words = ["tree", "--prefix", "none", "--no-dedupe"]
        .iter()
        .chain(options);
    let text = String::from_utf8(succeed("cargo", words)).expect("names are text");
    text.lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}
