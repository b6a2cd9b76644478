//! Programs that keep something on a disk, over HTTP.

mod archives;
mod kills;

use crate::support::{MICROVM, make_disk};
use crate::tool::tool;
use fata_ci::{
    Attached, Client, Lab, Launch, PATIENCE, Platform, Program, Tree, succeed, workspace,
};
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const LISTENING: &str = "listening";

const BOTH: [Platform; 2] = [Platform::Process, MICROVM];

fn text(path: &Path) -> &str {
    path.to_str().expect("paths in the tests are UTF-8")
}

/// Starts a program with a disk.
fn start(
    lab: &Lab,
    name: &str,
    platform: Platform,
    disk: &Path,
    arguments: &[&str],
) -> (Program, IpAddr) {
    let launch = Launch::new(name, platform).attach(Attached::new(disk));
    let launch = launch.arguments(arguments.iter().copied());
    let (program, address) = launch.start_in(lab);
    program.wait_for(LISTENING);
    (program, address)
}

/// Sends a request with a body, and returns status and answer.
fn send(address: IpAddr, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut client = Client::connect(address, 8080).expect("the server accepts");
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    client.send(head.as_bytes()).expect("the server reads");
    let response = client.response(method).expect("the server answers");
    let text = String::from_utf8(response.body).expect("the answer is text");
    (response.status, text)
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn values_outlive_the_program_that_took_them() {
    for platform in BOTH {
        let lab = Lab::enter();
        let folder = TempDir::new().expect("there is room");
        let disk = folder.path().join("disk.img");
        make_disk(&disk, 1 << 20);
        {
            let (_program, address) = start(&lab, "kv", platform, &disk, &["--format"]);
            for number in 0..50 {
                let path = format!("/people/{number}");
                assert_eq!(send(address, "PUT", &path, &path).0, 204, "{platform:?}");
            }
            assert_eq!(send(address, "DELETE", "/people/7", "").0, 204);
            assert_eq!(send(address, "PUT", "/people", "x").0, 409);
            assert_eq!(send(address, "PUT", "/people/1/x", "x").0, 409);
            let large = "x".repeat(900_000);
            let full = send(address, "PUT", "/large", &large);
            assert_eq!(full.0, 507, "{}", full.1);
            // Killed here, without a word.
        }
        let (program, address) = start(&lab, "kv", platform, &disk, &["--format"]);
        for number in (0..50).filter(|number| *number != 7) {
            let path = format!("/people/{number}");
            assert_eq!(send(address, "GET", &path, ""), (200, path.clone()));
        }
        assert_eq!(send(address, "GET", "/people/7", "").0, 404);
        assert_eq!(send(address, "GET", "/large", "").0, 404);
        // No key, and more than was meant.
        assert_eq!(send(address, "PUT", "/a//b", "").0, 400);
        assert_eq!(send(address, "DELETE", "/", "").0, 400);
        assert_eq!(send(address, "GET", "/", "").1, "people/\n");
        let names = send(address, "GET", "/people?after=8", "").1;
        assert_eq!(names, "9\n");
        drop(program);
        let checked = succeed(&tool(), ["disk", "check", text(&disk)]);
        let checked = String::from_utf8_lossy(&checked);
        assert!(checked.starts_with("49 values"), "{platform:?}: {checked}");
    }
}

/// More clients than there is memory for send values side by side.
#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn values_that_arrive_slowly_take_bounded_memory() {
    let lab = Lab::enter();
    let folder = TempDir::new().expect("there is room");
    let disk = folder.path().join("disk.img");
    make_disk(&disk, 16 << 20);
    let (_program, address) = start(&lab, "kv", MICROVM, &disk, &["--format"]);
    let upload = move || {
        let mut client = Client::connect(address, 8080).expect("the server accepts");
        let head = "PUT /large HTTP/1.1\r\nHost: test\r\nContent-Length: 1048576\r\n\r\n";
        client.send(head.as_bytes()).expect("the server is there");
        for _ in 0..16 {
            client.send(&[b'x'; 1 << 16]).expect("the server is there");
            thread::sleep(Duration::from_millis(20));
        }
        client.response("PUT").expect("the server answers")
    };
    // An upload that finds no memory within a second is told when to come back: how many are depends
    // on how quick the host is.
    let patient = move || {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let response = upload();
            if response.status == 503 && Instant::now() < deadline {
                let pause = response.header("Retry-After").expect("it tells when");
                thread::sleep(Duration::from_secs(pause.parse().expect("in seconds")));
            } else {
                return response.status;
            }
        }
    };
    let uploads = [(); 80].map(|()| thread::spawn(patient));
    for upload in uploads {
        assert_eq!(upload.join().expect("it is done"), 204);
    }
    assert_eq!(send(address, "GET", "/large", "").1.len(), 1 << 20);
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn values_of_any_size_are_served() {
    for platform in BOTH {
        let lab = Lab::enter();
        let folder = TempDir::new().expect("there is room");
        let disk = folder.path().join("disk.img");
        let large = folder.path().join("large");
        fs::write(&large, vec![b'y'; 70_000_000]).expect("there is room");
        succeed(&tool(), ["disk", "format", text(&disk), "--size", "80M"]);
        succeed(&tool(), ["disk", "put", text(&disk), text(&large)]);
        let (_program, address) = start(&lab, "kv", platform, &disk, &[]);
        let body = send(address, "GET", "/large", "").1;
        assert!(body.len() == 70_000_000 && body.bytes().all(|byte| byte == b'y'));
    }
}

/// Makes a disk with an empty FAT volume.
fn format_fat(disk: &Path) {
    make_disk(disk, 20 << 20);
    succeed(&on_path("mkfs.fat"), ["-F", "16", text(disk)]);
}

/// A program of the administrator, which is not on everybody's PATH.
fn on_path(program: &str) -> String {
    let places = ["/usr/sbin/", "/sbin/"].map(|folder| folder.to_owned() + program);
    let found = places.into_iter().find(|path| Path::new(path).exists());
    found.unwrap_or_else(|| program.to_owned())
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn what_is_written_to_a_fat_volume_is_read_elsewhere() {
    for platform in BOTH {
        let lab = Lab::enter();
        let folder = TempDir::new().expect("there is room");
        let disk = folder.path().join("disk.img");
        format_fat(&disk);
        let given = folder.path().join("Given by mcopy.txt");
        fs::write(&given, "given").expect("there is room");
        let options = ["-i", text(&disk), text(&given), "::/"];
        succeed("mcopy", options);
        {
            let (program, address) = start(&lab, "kv", platform, &disk, &[]);
            program.wait_for("found a FAT volume");
            let given = send(address, "GET", "/given%20by%20mcopy.txt", "");
            assert_eq!(given, (200, "given".to_owned()), "{platform:?}");
            for number in 0..20 {
                let path = format!("/A%20folder/value%20{number}");
                assert_eq!(send(address, "PUT", &path, &path).0, 204, "{platform:?}");
            }
            let large = "x".repeat(900_000);
            assert_eq!(send(address, "PUT", "/large.txt", &large).0, 204);
            assert_eq!(send(address, "DELETE", "/A%20folder/value%207", "").0, 204);
            assert_eq!(send(address, "PUT", "/what%3F", "x").0, 400);
            // Killed here, without a word.
        }
        succeed(&on_path("fsck.fat"), ["-n", text(&disk)]);
        let checked = succeed(&tool(), ["disk", "check", text(&disk)]);
        let checked = String::from_utf8_lossy(&checked);
        assert_eq!(checked, "a FAT volume; nothing is wrong\n", "{platform:?}");
        let taken = succeed(&tool(), ["disk", "get", text(&disk), "A folder/value 3"]);
        assert_eq!(taken, b"/A%20folder/value%203", "{platform:?}");
        let read = |name: &str| {
            let options = ["-i", text(&disk), name, "-"];
            String::from_utf8(succeed("mcopy", options)).expect("it is text")
        };
        assert_eq!(read("::/A folder/value 19"), "/A%20folder/value%2019");
        assert_eq!(read("::/Given by mcopy.txt"), "given");
        assert_eq!(read("::/large.txt").len(), 900_000);
        let names = succeed("mdir", ["-b", "-i", text(&disk), "::/A folder"]);
        let names = String::from_utf8(names).expect("it is text");
        assert_eq!(names.lines().count(), 19, "{platform:?}: {names}");
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn pages_come_from_archives_volumes_and_stores() {
    let content = workspace().join("examples/applications/site/content");
    let pages = Tree::read(&content);
    let folder = TempDir::new().expect("there is room");
    let archive = folder.path().join("site.tar");
    let options = [
        "--create",
        "--file",
        text(&archive),
        "--directory",
        text(&content),
    ];
    succeed("tar", options.iter().copied().chain(["."]));
    let store = folder.path().join("site.img");
    succeed(&tool(), ["disk", "format", text(&store), "--size", "4M"]);
    succeed(&tool(), ["disk", "put", text(&store), text(&content)]);
    let volume = folder.path().join("site.fat");
    format_fat(&volume);
    for entry in fs::read_dir(&content).expect("it is there") {
        let entry = entry.expect("it is there").path();
        succeed("mcopy", ["-s", "-i", text(&volume), text(&entry), "::/"]);
    }
    for (disk, kind) in [
        (&archive, "a tar archive"),
        (&volume, "a FAT volume"),
        (&store, "a store"),
    ] {
        for platform in BOTH {
            let lab = Lab::enter();
            let (program, address) = start(&lab, "site-disk", platform, disk, &["--port=8080"]);
            program.wait_for(kind);
            for (name, bytes) in pages.files() {
                let name = text(name);
                let path = name.strip_suffix("index.html").unwrap_or(name);
                let mut client = Client::connect(address, 8080).expect("the server accepts");
                let response = client.get(&format!("/{path}")).expect("it answers");
                assert_eq!(response.status, 200, "{platform:?}, {kind}: {path}");
                assert!(
                    response.body == bytes,
                    "{platform:?}, {kind}: {path} differs"
                );
            }
            let mut client = Client::connect(address, 8080).expect("the server accepts");
            assert_eq!(client.get("/none").expect("it answers").status, 404);
        }
    }
}
