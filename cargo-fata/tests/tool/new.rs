//! `cargo fata new`.

use crate::support::{Workspace, text};

#[test]
fn new_refuses_a_bad_name() {
    let workspace = Workspace::new();
    let output = workspace.run("fata new 1st");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stderr),
        "error: `1st` is not a name for a package: it has to start with a letter\n"
    );
    assert!(!workspace.path("app/1st").exists());
}
