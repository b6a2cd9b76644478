//! The repository's packages: their folders and the files at the roots of their crates.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::source;

/// Files with an attribute `#[path]` that leads out of their package. This list only shrinks: such
/// a module belongs to two packages, and neither shows it.
const OUTSIDE: &[&str] = &[
    "ci/fuzz/fuzz_targets/acpi.rs",
    "ci/fuzz/fuzz_targets/command_line.rs",
    "ci/fuzz/fuzz_targets/fat.rs",
    "ci/fuzz/fuzz_targets/http.rs",
    "ci/fuzz/fuzz_targets/http_client.rs",
    "ci/fuzz/fuzz_targets/partitions.rs",
    "ci/fuzz/fuzz_targets/protocol.rs",
    "ci/fuzz/fuzz_targets/queue.rs",
    "ci/fuzz/fuzz_targets/store.rs",
    "ci/src/bin/record-allocations.rs",
    "ci/src/bulk.rs",
    "fat/tests/host.rs",
    "fat/tests/model.rs",
    "task/tests/loom.rs",
];

pub(crate) fn root() -> PathBuf {
    normal(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")))
}

/// The path without `..`, as if no folder were a link.
pub(crate) fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        if component == Component::ParentDir {
            normal.pop();
        } else {
            normal.push(component);
        }
    }
    normal
}

/// The path from the root of the repository on.
pub(crate) fn shown(path: &Path) -> String {
    let inside = path.strip_prefix(root()).unwrap_or(path);
    inside.display().to_string()
}

/// All files below a folder, without what cargo and git put there.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("it is a folder") {
        let path = entry.expect("it can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !path.is_dir() {
            files.push(path);
        } else if name != "target" && !name.starts_with('.') {
            files.extend(self::files(&path));
        }
    }
    files
}

fn is_named(path: &Path, name: &str) -> bool {
    path.file_name().is_some_and(|file| file == name)
}

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}

fn under_tests(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests")
}

/// The root file of each library and program, tests left out.
pub(crate) fn crate_roots() -> Vec<PathBuf> {
    let is_root = |path: &PathBuf| {
        let Some(folder) = path.parent() else {
            return false;
        };
        let source = folder.join("../Cargo.toml").exists() && folder.ends_with("src");
        let (library, program) = (is_named(path, "lib.rs"), is_named(path, "main.rs"));
        let in_bin = |folder: &Path| folder.ends_with("src/bin");
        (source && (library || program))
            || (is_rust(path) && in_bin(folder))
            || (program && folder.parent().is_some_and(in_bin))
    };
    let all = files(&root()).into_iter();
    all.filter(|path| !under_tests(path) && is_root(path))
        .collect()
}

/// The folder with the nearest manifest above a file.
fn package(path: &Path) -> Option<&Path> {
    path.ancestors()
        .skip(1)
        .find(|folder| folder.join("Cargo.toml").exists())
}

#[test]
fn modules_lie_in_their_own_packages() {
    let all = files(&root());
    let sources = all.iter().filter(|path| is_rust(path));
    let leads_outside = |file: &&PathBuf| {
        let named = source::named_paths(file);
        named.iter().any(|named| package(named) != package(file))
    };
    let outside: BTreeSet<String> = sources
        .filter(leads_outside)
        .map(|file| shown(file))
        .collect();
    let known = OUTSIDE.iter().map(|&file| file.to_owned()).collect();
    assert_eq!(outside, known, "found, then known");
}
