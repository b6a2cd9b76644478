//! `cargo fata new`.

use std::fs;

use crate::support::{Workspace, text};

#[test]
fn new_refuses_a_bad_name() {
    let workspace = Workspace::new();
    let output = workspace.run("fata new 1st");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stderr),
        "error: `1st` is not a name for a package: it has to start with a letter; \
         --name NAME gives it another one than the folder's\n"
    );
    assert!(!workspace.path("app/1st").exists());
}

#[test]
fn new_takes_the_name_from_the_end_of_the_path() {
    let workspace = Workspace::new();
    for (words, folder, name) in [
        ("new ../shop", "shop", "shop"),
        ("new ../more/1st/ --name first", "more/1st", "first"),
    ] {
        let output = workspace.run(words);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let manifest = fs::read_to_string(workspace.path(folder).join("Cargo.toml")).unwrap();
        assert!(
            manifest.contains(&format!("name = \"{name}\"\n")),
            "{manifest}"
        );
    }
    workspace.refuses("new ..", 1, ".. exists already");
    workspace.refuses("new ../nowhere/..", 1, "--name NAME");
}
