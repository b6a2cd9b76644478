//! The search for imports finds each way to name an item of another file.

use std::collections::BTreeSet;
use std::fs;

use crate::source::Platform;
use crate::tree::Tree;

const FILES: [(&str, &str); 7] = [
    (
        "lib.rs",
        "mod alias; mod glob; mod macros; mod parent; mod plain; mod test_only; pub use plain::Plain;",
    ),
    ("plain.rs", "pub struct Plain; pub fn plain() {}"),
    (
        "alias.rs",
        "use crate::Plain as Other; fn take(_: Other) {}",
    ),
    ("glob.rs", "use crate::plain::*; fn call() { plain() }"),
    (
        "macros.rs",
        "fn call() { assert!(matches!(crate::glob::call(), ())) }",
    ),
    ("parent.rs", "fn call() { super::alias::take() }"),
    (
        "test_only.rs",
        "#[cfg(test)] fn call() { crate::parent::call() }",
    ),
];

#[test]
fn every_way_to_name_an_item_is_an_import() {
    let folder = tempfile::tempdir().expect("there is room");
    for (name, text) in FILES {
        fs::write(folder.path().join(name), text).expect("there is room");
    }
    let tree = Tree::read(&folder.path().join("lib.rs"), Platform::Process);
    let mut found = BTreeSet::new();
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    tree.imports(|from, to, _| {
        found.insert((name(from), name(to)));
    });
    let expected = [
        ("alias.rs", "plain.rs"),
        ("glob.rs", "plain.rs"),
        ("macros.rs", "glob.rs"),
        ("parent.rs", "alias.rs"),
    ];
    let expected = expected.map(|(from, to)| (from.to_owned(), to.to_owned()));
    assert_eq!(found, BTreeSet::from(expected));
}
