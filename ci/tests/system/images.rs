//! `cargo fata image`: what it makes starts where it is meant to.

use crate::tool::{Scratch, tool};
use fata_ci::{
    Client, Disk, Firmware, Lab, Launch, Machine, Platform, TAP_ARGUMENTS, Tree, image, succeed,
    target_folder, workspace,
};
use std::fs;
use std::path::{Path, PathBuf};

const Q35: Platform = Platform::Machine(Machine::Q35);

/// Enough for OVMF.
const MEMORY: u32 = 128;

fn text(path: &Path) -> &str {
    path.to_str().expect("paths in the tests are UTF-8")
}

fn scratch(name: &str) -> Scratch {
    let folder = target_folder().join("ci");
    let folder = Scratch(folder.join(format!("{name}-{}", std::process::id())));
    fs::create_dir_all(&folder.0).expect("the target folder can be written");
    folder
}

/// Makes an image of `site`, with these boot arguments.
fn make(format: &str, output: &Path, arguments: &[&str]) {
    let options = [
        "image",
        "site",
        "--format",
        format,
        "--output",
        text(output),
    ];
    succeed(&tool(), [&options[..], &["--"], arguments].concat());
}

/// An image that has the addresses of the lab's guest.
fn site(format: &str) -> (Scratch, PathBuf) {
    let folder = scratch(&format!("image-{format}"));
    let file = folder.0.join("site");
    make(format, &file, &TAP_ARGUMENTS);
    (folder, file)
}

#[track_caller]
fn assert_serves(file: &Path, disk: Disk, firmware: Firmware) {
    let lab = Lab::enter();
    let launch = Launch::new("site", Q35).file(file).disk(disk, firmware);
    let (program, address) = launch.memory(MEMORY).start_in(&lab);
    program.wait_for("listening");
    let mut client = Client::connect(address, 80).expect("the site accepts");
    let page = client.get("/").expect("the site answers");
    let content = workspace().join("examples/applications/site/content/index.html");
    assert!(
        page.body == fs::read(content).expect("the site has a first page"),
        "{disk:?}, {firmware:?}: another page"
    );
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_raw_disk_starts_by_both_firmwares() {
    let (_folder, file) = site("raw");
    let size = fs::metadata(&file).expect("it was made").len();
    assert_eq!(size % (1 << 20), 0, "{size} bytes: not whole mebibytes");
    for firmware in Firmware::ALL {
        assert_serves(&file, Disk::Virtio("raw"), firmware);
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_qcow2_disk_starts_by_both_firmwares() {
    let (_folder, file) = site("qcow2");
    for firmware in Firmware::ALL {
        assert_serves(&file, Disk::Virtio("qcow2"), firmware);
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn an_iso_starts_by_both_firmwares_as_cd_and_as_disk() {
    let (_folder, file) = site("iso");
    for firmware in Firmware::ALL {
        for disk in [Disk::Cd, Disk::Sata] {
            assert_serves(&file, disk, firmware);
        }
    }
}

#[test]
#[ignore = "boots a virtual machine; ci/test runs it"]
fn arguments_reach_the_program_through_grub_as_they_are() {
    const MESSAGE: &str = r#"two  words, "$5" \ 100 % — é"#;
    let folder = scratch("image-arguments");
    let file = folder.0.join("hello.raw");
    let hello = format!("--hello={MESSAGE}");
    let options = ["image", "hello", "--format", "raw", "--output", text(&file)];
    succeed(&tool(), [&options[..], &["--", &hello]].concat());
    let launch = Launch::new("hello", Q35).file(&file);
    let mut program = launch.disk(Disk::Virtio("raw"), Firmware::Bios).start();
    assert!(program.wait_success().contains(MESSAGE));
}

#[test]
#[ignore = "needs the images; ci/test runs it"]
fn the_same_program_makes_the_same_image() {
    let folder = scratch("image-same");
    for format in ["raw", "qcow2", "iso", "oci"] {
        let [first, second] = ["first.tar", "second.tar"].map(|name| {
            let file = folder.0.join(name);
            make(format, &file, &[]);
            fs::read(file).expect("it was made")
        });
        assert!(first == second, "{format} differs");
    }
}

#[test]
#[ignore = "boots a virtual machine; ci/test runs it"]
fn container_tools_accept_the_container_image() {
    let folder = scratch("image-oci");
    let [layout, archive, copy, bundle] =
        ["layout", "site.tar", "copy", "bundle"].map(|name| folder.0.join(name));
    make("oci", &layout, &["--port", "8080"]);
    make("oci", &archive, &["--port", "8080"]);
    let layout = format!("{}:latest", text(&layout));
    let inspected = succeed("skopeo", ["inspect", "--raw", &format!("oci:{layout}")]);
    let manifest = String::from_utf8_lossy(&inspected).into_owned();
    assert!(!manifest.contains("com.urunc"), "{manifest}");
    // Copying checks every digest.
    let archive = format!("oci-archive:{}:latest", text(&archive));
    let copy = format!("oci:{}:latest", text(&copy));
    let insecure = "--insecure-policy";
    succeed("skopeo", [insecure, "copy", "--quiet", &archive, &copy]);
    succeed(
        "umoci",
        ["unpack", "--rootless", "--image", &layout, text(&bundle)],
    );
    let root = Tree::read(&bundle.join("rootfs"));
    let files: Vec<_> = root.files().map(|(path, _)| text(path)).collect();
    assert_eq!(files, ["unikernel/kernel.elf", "urunc.json"]);
    // The container's annotations come before the file, and are not read alike by all versions.
    let container = fs::read_to_string(bundle.join("config.json")).expect("umoci writes it");
    assert!(!container.contains("com.urunc"), "{container}");
    let notes = fs::read_to_string(bundle.join("rootfs/urunc.json")).expect("it is there");
    // In Base64: mirage, /unikernel/kernel.elf, and --port 8080.
    for value in [
        "bWlyYWdl",
        "L3VuaWtlcm5lbC9rZXJuZWwuZWxm",
        "LS1wb3J0IDgwODA=",
    ] {
        assert!(notes.contains(value), "{notes}");
    }
    let kernel = fs::read(image("site")).expect("the image was built");
    assert!(root.files().any(|(_, content)| content == kernel));
    // urunc boots that in QEMU's default machine, the arguments behind those for the network.
    let lab = Lab::enter();
    let launch = Launch::new("site", Platform::Machine(Machine::Pc))
        .file(&bundle.join("rootfs/unikernel/kernel.elf"))
        .arguments(["--port", "8080"]);
    let (program, address) = launch.start_in(&lab);
    program.wait_for("listening");
    let mut client = Client::connect(address, 8080).expect("the site accepts");
    assert_eq!(client.get("/").expect("the site answers").status, 200);
}
