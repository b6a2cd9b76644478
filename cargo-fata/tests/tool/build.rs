//! Images: what is built, what is refused, and that the same sources make the same one.

use crate::support::{Workspace, text};
use std::fs;

#[test]
fn build_leaves_image_and_symbols() {
    let workspace = Workspace::new();
    let output = workspace.run("fata build");
    let messages = text(&output.stderr);
    assert!(output.status.success(), "{messages}");
    let image = fs::metadata(workspace.path("target/fata/app.elf")).unwrap();
    let symbols = fs::metadata(workspace.path("target/fata/app.debug")).unwrap();
    assert!(image.len() < 5 * 1024, "{}", image.len());
    assert!(symbols.len() > image.len());
    let last = messages.lines().last().unwrap();
    let hint = " KiB in memory; `cargo fata inspect app` says what is in it";
    assert!(
        last.contains("target/fata/app.elf: 5 KiB, ") && last.ends_with(hint),
        "{last}"
    );
    // Nothing but images is left there.
    let names = fs::read_dir(workspace.path("target/fata")).unwrap();
    let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["app.debug", "app.elf", "stubs"]);
}

#[test]
fn programs_that_cannot_boot_are_refused() {
    let workspace = Workspace::new();
    for (cfg, reason) in [
        ("calls_libc", "undefined symbol: getpid"),
        ("without_note", "fata_boot::main!"),
    ] {
        let output = workspace
            .tool("build")
            .env("RUSTFLAGS", format!("--cfg {cfg}"))
            .output()
            .unwrap();
        let messages = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{messages}");
        assert!(messages.contains(reason), "{messages}");
        assert!(!workspace.path("target/fata/app.elf").exists());
    }
}

#[test]
fn the_same_sources_elsewhere_make_the_same_image() {
    let images = [0, 1].map(|_| {
        let workspace = Workspace::new();
        assert!(workspace.run("build").status.success());
        fs::read(workspace.path("target/fata/app.elf")).unwrap()
    });
    assert!(images[0] == images[1]);
}
