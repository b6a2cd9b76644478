//! `cargo fata new`.

use std::fs;
use std::process::Command;

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
    for (words, folder, name, hint) in [
        ("new ../shop", "shop", "shop", "cd ../shop\n"),
        (
            "new ../my/$1st/ --name first",
            "my/$1st",
            "first",
            "cd '../my/$1st/'\n",
        ),
    ] {
        let output = workspace.run(words);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains(hint));
        let manifest = fs::read_to_string(workspace.path(folder).join("Cargo.toml")).unwrap();
        assert!(
            manifest.contains(&format!("name = \"{name}\"\n")),
            "{manifest}"
        );
    }
    workspace.refuses("new ..", 1, ".. exists already");
    workspace.refuses("new ../nowhere/..", 1, "--name NAME");
}

#[test]
fn cargo_has_nothing_to_say_about_a_new_project() {
    let workspace = Workspace::new();
    assert!(workspace.run("new ../shop").status.success());
    // Cargo looks at the whole manifest, although this compiles next to nothing.
    let output = Command::new(env!("CARGO"))
        .args(["check", "--package", "log", "--color", "never"])
        .current_dir(workspace.path("shop"))
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .unwrap();
    let messages = text(&output.stderr);
    assert!(output.status.success(), "{messages}");
    assert!(!messages.contains("warning"), "{messages}");
}
