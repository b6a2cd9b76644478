//! No files of a crate import each other in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::graph::{Graph, circles};
use crate::known::CIRCLES;
use crate::packages::crate_roots;
use crate::source::Platform;
use crate::tree::Tree;

/// The paths by which one file uses items of another.
type Imports = BTreeMap<(String, String), BTreeSet<String>>;

fn imports() -> Imports {
    let mut imports = Imports::new();
    let mut insert = |from: &str, to: &str, path: &str| {
        let edge = (from.to_owned(), to.to_owned());
        imports.entry(edge).or_default().insert(path.to_owned());
    };
    for root in crate_roots() {
        for platform in Platform::ALL {
            Tree::read(&root, platform).imports(&mut insert);
        }
    }
    imports
}

fn graph(imports: &Imports) -> Graph {
    let mut graph = Graph::new();
    for (from, to) in imports.keys() {
        graph.entry(from.clone()).or_default().insert(to.clone());
    }
    graph
}

/// The files of a circle, and by which paths they use each other.
fn described(circle: &[String], imports: &Imports) -> String {
    let mut text = format!("a circle of {} files:\n", circle.len());
    for ((from, to), paths) in imports {
        if circle.contains(from) && circle.contains(to) {
            let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
            let _ = writeln!(text, "  {from} -> {to}: {}", paths.join(", "));
        }
    }
    text
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let imports = imports();
    let found = circles(&graph(&imports));
    let known = CIRCLES.iter();
    let known: BTreeSet<Vec<String>> = known
        .map(|files| files.iter().map(|&file| file.to_owned()).collect())
        .collect();
    let new = found.difference(&known);
    let new: String = new.map(|circle| described(circle, &imports)).collect();
    assert!(
        new.is_empty(),
        "move items so that imports lead one way\n{new}"
    );
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(
        gone.is_empty(),
        "take from the list of known circles: {gone:#?}"
    );
}
