//! `cargo fata inspect`, of images and of what is none.

use crate::support::{Workspace, text};
use std::fs;

#[test]
fn inspect_says_what_an_image_is() {
    let workspace = Workspace::new();
    let output = workspace.run("inspect");
    assert_eq!(output.status.code(), Some(1));
    let messages = text(&output.stderr);
    assert!(
        messages.contains("`cargo fata build app` makes it"),
        "{messages}"
    );
    assert!(workspace.run("build").status.success());
    let image = "../target/fata/app.elf";
    for arguments in ["inspect", "inspect app", &format!("inspect {image}")] {
        let said = text(&workspace.run(arguments).stdout);
        for words in [
            "app 0.1.0\n",
            "PVH, entered at 0x100000\n",
            "2 crates in the image\n",
            "fata-boot 0.1.0 (local)          MIT\n",
            "bytes by crate",
        ] {
            assert!(said.contains(words), "no {words:?} by {arguments}:\n{said}");
        }
    }
    let json = |file: &str| {
        let output = workspace.run(&format!("inspect --json {file}"));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let (whole, symbols) = (json(image), json("../target/fata/app.debug"));
    assert_eq!(whole["crates"][1]["name"], "fata-boot");
    assert_eq!(whole["crates"], symbols["crates"]);
    assert_eq!(whole["sizes"], symbols["sizes"]);
    // Symbols of another build are not those of this image.
    fs::copy(
        workspace.path("target/fata/app.elf"),
        workspace.path("old.elf"),
    )
    .unwrap();
    fs::write(workspace.path("old.debug"), "no symbols").unwrap();
    let old = json("../old.elf");
    assert!(old["sizes"].is_null());
    assert_eq!(old["segments"], whole["segments"]);
}

#[test]
fn inspect_refuses_what_is_no_image() {
    let workspace = Workspace::new();
    for (file, reason) in [
        ("Cargo.toml", "it is no ELF file"),
        ("/proc/self/exe", "it has no section .fata.manifest"),
        ("../none.elf", "No such file"),
        (".", "Is a directory"),
    ] {
        let output = workspace.run(&format!("inspect {file}"));
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        let messages = text(&output.stderr);
        assert!(messages.contains(reason), "{messages}");
    }
}
