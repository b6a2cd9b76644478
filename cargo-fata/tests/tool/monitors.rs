//! The monitors that `--vmm` chooses: how they are configured, refused and started.

use crate::support::{Workspace, text};
use std::fs;

#[test]
fn other_monitors_are_configured_without_being_there() {
    let workspace = Workspace::new();
    let options = "--dry-run --memory 16M --net tap=tap0 -- --port 80";
    let output = workspace.run(&format!("run --vmm firecracker {options}"));
    let messages = text(&output.stderr);
    assert!(output.status.success(), "{messages}");
    let file = workspace.path("target/fata/app.firecracker.json");
    let command = format!("firecracker --no-api --config-file {}", file.display());
    assert!(messages.contains(&command), "{messages}");
    assert_eq!(
        text(&output.stdout).trim_end(),
        fs::read_to_string(file).unwrap()
    );
    let configuration = serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap();
    assert_eq!(configuration["machine-config"]["mem_size_mib"], 16);
    let image = workspace.path("target/fata/app.elf");
    assert_eq!(
        configuration["boot-source"]["kernel_image_path"],
        image.to_str().unwrap()
    );

    let output = workspace.run(&format!("run --vmm cloud-hypervisor {options}"));
    let expected = format!(
        "cloud-hypervisor --kernel {} --cmdline '--port 80' --cpus boot=1 --memory size=16M \
         --net tap=tap0 --serial tty --console off\n",
        image.display()
    );
    assert_eq!(text(&output.stdout), expected);
}

#[test]
fn a_dry_run_of_qemu_starts_nothing() {
    let workspace = Workspace::new();
    workspace.install_qemu("exit 39");
    let output = workspace.run("run --dry-run -- --hello a\\b");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let line = text(&output.stdout);
    assert!(
        line.starts_with("qemu-system-x86_64 -nodefaults "),
        "{line}"
    );
    assert!(line.ends_with(" -append '--hello \"a\\\\b\"'\n"), "{line}");
    let output = workspace.run("run --vmm process --dry-run");
    assert!(text(&output.stderr).contains("--dry-run means nothing there"));
}

#[test]
fn what_a_monitor_cannot_do_is_said_before_anything_is_built() {
    let workspace = Workspace::new();
    for (words, status, hint) in [
        ("--vmm firecracker --publish 8080:80", 1, "--net tap=tap0"),
        ("--vmm cloud-hypervisor --net user", 1, "--net tap=tap0"),
        ("--vmm firecracker --machine q35", 1, "--vmm qemu"),
        ("--vmm cloud-hypervisor", 127, "--dry-run"),
    ] {
        workspace.refuses(&format!("run {words}"), status, hint);
    }
}

#[test]
fn a_monitor_is_started_where_kvm_is() {
    let workspace = Workspace::new();
    workspace.install("firecracker", "echo \"$1 $2\"; exit 7");
    let output = workspace.run("run --vmm firecracker");
    let kvm = fs::File::options().read(true).write(true).open("/dev/kvm");
    if kvm.is_ok() {
        assert_eq!(text(&output.stdout), "--no-api --config-file\n");
        assert_eq!(output.status.code(), Some(7));
    } else {
        let messages = text(&output.stderr);
        assert!(messages.contains("/dev/kvm cannot be opened"), "{messages}");
        assert!(messages.contains("--dry-run"), "{messages}");
        assert_eq!(output.status.code(), Some(1));
    }
}
