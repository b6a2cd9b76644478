//! The queue of uploads, with its disk, on each platform: what it answers, and what it keeps.

mod kills;

use crate::support::{MICROVM, make_disk};
use fata_ci::{Attached, Client, Lab, Launch, Platform, Program, Response};
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

const PORT: u16 = 8080;
const PLATFORMS: [Platform; 2] = [MICROVM, Platform::Process];
/// Long enough for a request that waits to have arrived.
const SOON: Duration = Duration::from_millis(500);

/// A queue's disk, in a folder that goes with the test, on a network of its own.
struct Scene {
    lab: Lab,
    platform: Platform,
    disk: PathBuf,
    _folder: TempDir,
}

impl Scene {
    fn new(platform: Platform, bytes: u64) -> Self {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let disk = folder.path().join("disk");
        make_disk(&disk, bytes);
        Self {
            lab: Lab::enter(),
            platform,
            disk,
            _folder: folder,
        }
    }

    fn start(&self) -> (Program, IpAddr) {
        let (program, address) = Launch::new("queue", self.platform)
            .memory(16)
            .attach(Attached::new(&self.disk))
            .start_in(&self.lab);
        program.wait_for("queue: listening");
        (program, address)
    }
}

/// Any bytes, which follow from a number.
pub fn item(number: u64, length: usize) -> Vec<u8> {
    let mut state = number;
    let mut bytes: Vec<u8> = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    })
    .take(length)
    .collect();
    let head = length.min(8);
    bytes[..head].copy_from_slice(&number.to_le_bytes()[..head]);
    bytes
}

fn request(address: IpAddr, method: &str, path: &str) -> io::Result<Response> {
    Client::connect(address, PORT)?.request(method, path, "")
}

fn put(address: IpAddr, body: &[u8]) -> io::Result<Response> {
    put_on(Client::connect(address, PORT)?, body)
}

fn put_on(mut client: Client, body: &[u8]) -> io::Result<Response> {
    client.send(put_head(body.len()).as_bytes())?;
    client.send(body)?;
    client.response("PUT")
}

fn put_head(length: usize) -> String {
    format!("PUT /uploader HTTP/1.1\r\nHost: guest\r\nContent-Length: {length}\r\n\r\n")
}

#[track_caller]
fn assert_answer(response: io::Result<Response>, status: u16, body: &str) {
    let response = response.expect("the queue answers");
    let text = String::from_utf8_lossy(&response.body).into_owned();
    assert_eq!((response.status, &text[..]), (status, body));
}

#[track_caller]
fn assert_item(address: IpAddr, expected: &[u8]) {
    let response = request(address, "GET", "/downloader").expect("the queue answers");
    assert_eq!(response.status, 200);
    let length = expected.len().to_string();
    assert_eq!(response.header("content-length"), Some(&length[..]));
    assert!(response.body == expected, "another item than was uploaded");
}

#[track_caller]
fn assert_removes(address: IpAddr) {
    assert_answer(request(address, "DELETE", "/downloader"), 200, "OK\n");
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_queue_gives_in_order_what_it_got_also_after_a_restart() {
    for platform in PLATFORMS {
        let scene = Scene::new(platform, 16 << 20);
        let (program, address) = scene.start();
        let items: Vec<_> = [0, 1, 511, 512, 70_000, 3_000_000]
            .into_iter()
            .map(|length| item(length as u64, length))
            .collect();
        for item in &items {
            assert_answer(put(address, item), 200, "Accepted\n");
        }
        // Only what was handed out is removed.
        assert_removes(address);
        assert_item(address, &items[0]);
        assert_item(address, &items[0]);
        assert_removes(address);
        assert_removes(address);
        drop(program);
        let (_program, address) = scene.start();
        for item in &items[1..] {
            assert_item(address, item);
            assert_removes(address);
        }
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn what_is_wrong_is_refused_in_the_words_of_the_original() {
    for platform in PLATFORMS {
        let scene = Scene::new(platform, 1 << 20);
        let (_program, address) = scene.start();
        let ask = |method: &str, path: &str| {
            Client::connect(address, PORT)?.request(method, path, "Content-Length: 0\r\n")
        };
        assert_answer(ask("POST", "/uploader"), 400, "Use PUT, not POST\n");
        for (method, path) in [
            ("GET", "/uploader"),
            ("DELETE", "/uploader"),
            ("PUT", "/downloader"),
        ] {
            assert_answer(ask(method, path), 400, "Method not supported\n");
        }
        assert_answer(ask("GET", "/other"), 400, "Bad path '/other'\n");
        let without_length = request(address, "PUT", "/uploader").expect("the queue answers");
        assert_eq!(without_length.status, 411);
        // Before any of the body has come.
        let mut large = Client::connect(address, PORT).expect("the queue accepts");
        large
            .send(put_head(1 << 20).as_bytes())
            .expect("the queue reads");
        assert_answer(large.response("PUT"), 507, "Disk full");
        let mut short = Client::connect(address, PORT).expect("the queue accepts");
        short
            .send(put_head(10).as_bytes())
            .expect("the queue reads");
        short.send(b"abc").expect("the queue reads");
        short.finish().expect("the connection is open");
        let wrong = "Upload has wrong size: Content-Length said 10 but got 3";
        assert_answer(short.response("PUT"), 400, wrong);
        // None of these has left anything behind.
        let all = item(1, (1 << 20) - (128 << 10));
        assert_answer(put(address, &all), 200, "Accepted\n");
        assert_answer(put(address, b"x"), 507, "Disk full");
        assert_item(address, &all);
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn downloads_wait_for_an_item_and_clients_that_leave_are_noticed() {
    for platform in PLATFORMS {
        let scene = Scene::new(platform, 1 << 20);
        let (_program, address) = scene.start();
        let waiting = thread::spawn(move || request(address, "GET", "/downloader"));
        thread::sleep(SOON);
        let busy = "A download is waiting for an item\n";
        assert_answer(request(address, "DELETE", "/downloader"), 409, busy);
        assert_answer(put(address, b"item"), 200, "Accepted\n");
        let got = waiting.join().expect("it does not panic");
        assert_answer(got, 200, "item");
        assert_removes(address);
        let mut gone = Client::connect(address, PORT).expect("the queue accepts");
        let head = b"GET /downloader HTTP/1.1\r\nHost: guest\r\n\r\n";
        gone.send(head).expect("the queue reads");
        thread::sleep(SOON);
        drop(gone);
        thread::sleep(SOON);
        assert_removes(address);
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn uploads_go_on_side_by_side_while_others_read_slowly() {
    for platform in PLATFORMS {
        let scene = Scene::new(platform, 32 << 20);
        let (_program, address) = scene.start();
        let first = item(1, 4 << 20);
        assert_answer(put(address, &first), 200, "Accepted\n");
        let slow: Vec<_> = (0..3)
            .map(|_| {
                let mut client = Client::connect(address, PORT).expect("the queue accepts");
                let head = b"GET /downloader HTTP/1.1\r\nHost: guest\r\n\r\n";
                client.send(head).expect("the queue reads");
                client
            })
            .collect();
        thread::scope(|scope| {
            for number in 0..10 {
                let body = item(number, 1_000_000);
                scope.spawn(move || assert_answer(put(address, &body), 200, "Accepted\n"));
            }
        });
        assert_item(address, &first);
        drop(slow);
        assert_removes(address);
        let mut numbers: Vec<u64> = (0..10)
            .map(|_| {
                let got = request(address, "GET", "/downloader").expect("the queue answers");
                let number = u64::from_le_bytes(*got.body.first_chunk().expect("a whole item"));
                assert!(got.body == item(number, 1_000_000));
                assert_removes(address);
                number
            })
            .collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..10).collect::<Vec<_>>());
    }
}

/// `FATA_UPLOAD_MIB` says how large it is.
#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn an_upload_may_be_larger_than_memory() {
    let given = std::env::var("FATA_UPLOAD_MIB").ok();
    let mebibytes = given.map_or(256, |text| text.parse().expect("a number of MiB"));
    for platform in PLATFORMS {
        let scene = Scene::new(platform, (mebibytes as u64 + 1) << 20);
        let (_program, address) = scene.start();
        let piece = item(1, 1 << 20);
        let mut client = Client::connect(address, PORT).expect("the queue accepts");
        let head = put_head(mebibytes << 20);
        client.send(head.as_bytes()).expect("the queue reads");
        for _ in 0..mebibytes {
            client.send(&piece).expect("the queue reads");
        }
        assert_answer(client.response("PUT"), 200, "Accepted\n");
        let got = client.get("/downloader").expect("the queue answers");
        assert_eq!(got.body.len(), mebibytes << 20);
        assert!(got.body.chunks(1 << 20).all(|got| got == piece));
    }
}
