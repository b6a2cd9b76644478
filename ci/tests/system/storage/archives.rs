//! Archives that the host's programs make, and disks that have none.

use super::{BOTH, start, text};
use crate::support::{MICROVM, make_disk};
use fata_ci::{Attached, Client, Lab, Launch, succeed};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use tempfile::TempDir;

/// Bytes of a page that is mostly a hole.
const SIZE: u64 = 3_000_000;

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn pages_with_holes_are_served_as_they_are_unpacked() {
    let folder = TempDir::new().expect("there is room");
    let page = File::create(folder.path().join("page")).expect("there is room");
    page.set_len(SIZE).expect("there is room");
    for (offset, bytes) in [(1_000_000, "middle"), (SIZE - 3, "end")] {
        let written = page.write_all_at(bytes.as_bytes(), offset);
        written.expect("there is room");
    }
    let expected = fs::read(folder.path().join("page")).expect("it is there");
    let archive = folder.path().join("pages.tar");
    let top = ["-C", text(folder.path()), "page"];
    for (program, options) in [
        ("tar", "--format=pax -Scf"),
        ("tar", "--format=gnu -Scf"),
        ("bsdtar", "--format=pax -cf"),
    ] {
        let words = options.split(' ').chain([text(&archive)]).chain(top);
        succeed(program, words);
        for platform in BOTH {
            let lab = Lab::enter();
            let (program, address) = start(&lab, "site-disk", platform, &archive, &["--port=8080"]);
            program.wait_for("a tar archive");
            let mut client = Client::connect(address, 8080).expect("the server accepts");
            let response = client.get("/page").expect("it answers");
            assert_eq!(response.status, 200, "{platform:?}: {options}");
            assert!(response.body == expected, "{platform:?}: {options}");
            let range = "GET /page HTTP/1.1\r\nHost: test\r\nRange: bytes=999998-1000007\r\n\r\n";
            client.send(range.as_bytes()).expect("the server reads");
            let response = client.response("GET").expect("it answers");
            assert_eq!(response.status, 206, "{platform:?}: {options}");
            assert_eq!(response.body, b"\0\0middle\0\0", "{platform:?}: {options}");
        }
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn disks_without_anything_are_refused() {
    let folder = TempDir::new().expect("there is room");
    let blank = folder.path().join("blank");
    make_disk(&blank, 1 << 20);
    let none = folder.path().join("none");
    make_disk(&none, 0);
    for name in ["site-disk", "kv"] {
        for (platform, disk, said) in [
            (BOTH[0], &blank, "no store"),
            (BOTH[1], &blank, "no store"),
            (MICROVM, &none, "the disk has no sectors"),
        ] {
            let launch = Launch::new(name, platform).attach(Attached::new(disk));
            let (ending, text) = launch.start().wait();
            assert!(
                text.contains(said),
                "{name}, {platform:?}: {ending:?}: {text}"
            );
            assert!(!text.contains("listening"), "{name}, {platform:?}: {text}");
        }
    }
}
