//! Holds the table of examples in README.md against their manifests, or writes it anew.

use fata_ci::{ProgramPackage, workspace};
use std::fs;

/// The groups of examples, in the order in which one learns from them. Others come last.
const GROUPS: [&str; 3] = ["tutorial", "device-usage", "applications"];

/// The command that writes the table, which README.md names, too.
const UPDATE: &str = "UPDATE_README=1 cargo test -p fata-ci --test readme";
const END: &str = "<!-- end of examples -->";

fn place(group: &str) -> usize {
    let found = GROUPS.iter().position(|known| *known == group);
    found.unwrap_or(GROUPS.len())
}

/// The table that README.md should have.
fn table() -> String {
    let mut examples: Vec<_> = ProgramPackage::all()
        .into_iter()
        .filter_map(|example| Some((place(example.group()?), example)))
        .collect();
    // Stable: within a group they stay in the order of their folders.
    examples.sort_by_key(|(place, _)| *place);
    let rows = examples.iter().map(|(_, example)| row(example));
    let head = "\n| example | description | run it |\n|---|---|---|\n".to_owned();
    head + &rows.collect::<String>()
}

fn row(example: &ProgramPackage) -> String {
    let (name, description, command) = (&example.name, &example.description, &example.command);
    let folder = example.folder.display();
    assert!(
        !description.is_empty(),
        "{folder}/Cargo.toml has no description"
    );
    format!("| [`{name}`]({folder}) | {description} | `{command}` |\n")
}

#[test]
fn the_table_of_examples_is_true() {
    let file = workspace().join("README.md");
    let text = fs::read_to_string(&file).expect("it is in the repository");
    let begin = format!("<!-- examples: {UPDATE} -->\n");
    let (before, rest) = text.split_once(&begin).expect("a comment begins the table");
    let (documented, after) = rest.split_once(END).expect("a comment ends the table");
    let table = format!("{}\n", table());
    if documented == table {
        return;
    }
    assert!(
        std::env::var_os("UPDATE_README").is_some(),
        "README.md has another table of examples than their manifests give; this writes it:\n\n    \
         {UPDATE}\n\nIt is to be:\n{table}"
    );
    let text = [before, &begin, &table, END, after].concat();
    fs::write(file, text).expect("README.md can be written");
}
