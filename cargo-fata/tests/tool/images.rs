//! `cargo fata image`: what each format needs, and what it makes.

use crate::support::{Workspace, text};
use std::fs;
use std::os::unix::net::UnixListener;

#[test]
fn what_an_image_needs_is_said_before_anything_is_built() {
    let workspace = Workspace::new();
    for (words, status, hint) in [
        ("--format iso", 127, "apt-get install grub-common"),
        ("--format raw", 127, "apt-get install grub-common"),
        (
            "--format elf -- --port 80",
            1,
            "no place for boot arguments",
        ),
        ("--format raw --port 80", 1, "--format oci"),
    ] {
        workspace.refuses(&format!("image {words}"), status, hint);
    }
}

#[test]
fn an_output_that_is_no_file_is_refused_before_anything_is_built() {
    let workspace = Workspace::new();
    let device = workspace.path("device");
    let _listener = UnixListener::bind(&device).unwrap();
    for (output, hint) in [
        (device, "/device bs=1M conv=fsync"),
        (workspace.path("app"), "/app is a folder"),
    ] {
        let words = format!("image --format elf --output {}", output.display());
        workspace.refuses(&words, 1, hint);
    }
}

#[test]
fn a_container_image_needs_no_other_program() {
    let workspace = Workspace::new();
    let output = workspace.run("image --format oci --port 80");
    let messages = text(&output.stderr);
    assert!(output.status.success(), "{messages}");
    assert!(workspace.path("target/fata/app.oci/index.json").is_file());
    let pod = fs::read_to_string(workspace.path("target/fata/app.pod.yaml")).unwrap();
    assert!(pod.contains("runtimeClassName: urunc"), "{pod}");
    assert!(pod.contains("containerPort: 80"), "{pod}");
    let elf = workspace.path("copy.elf");
    let output = workspace.run(&format!("image --format elf --output {}", elf.display()));
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(
        fs::read(elf).unwrap(),
        fs::read(workspace.path("target/fata/app.elf")).unwrap()
    );
}
