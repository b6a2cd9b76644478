//! Crowds of clients at servers with little memory: the machine lives, others are served, and
//! memory comes back.

use crate::support::{MICROVM, make_disk};
use crate::tool::tool;
use fata_ci::{
    Attached, Client, Crowd, Lab, Launch, Manner, PATIENCE, Program, need_descriptors, succeed,
};
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Mebibytes of the machines.
const MEMORIES: &[u32] = &[8, 16, 64];
/// How long each crowd stays.
const STAY: Duration = Duration::from_secs(1);
/// Most connections that an HTTP server takes by default.
const MOST: usize = 2_000;
/// Bytes of a file that does not fit anybody's buffers.
const LARGE: usize = 3 << 20;
/// Bytes of what is uploaded.
const UPLOAD: usize = 900_000;

/// A server, and what can be asked of it.
struct Subject {
    name: &'static str,
    port: u16,
    arguments: &'static [&'static str],
    disk: Option<PathBuf>,
    memories: &'static [u32],
    /// The path of a small page, and the status of the answer.
    small: (&'static str, u16),
    /// The path of a large one.
    large: &'static str,
    /// Where to upload to.
    upload: Option<&'static str>,
}

/// The acts of a crowd: a name, its manner, and its requests, each a head and the size of its body.
type Pattern = (&'static str, Manner, Vec<(String, usize)>);

impl Subject {
    fn patterns(&self) -> Vec<Pattern> {
        let get = |lines: &str| {
            let head = format!("GET {} HTTP/1.1\r\nHost: h\r\n{lines}\r\n", self.large);
            vec![(head, 0)]
        };
        let pipelined = vec![(get("")[0].0.repeat(50), 0)];
        let ranges = get("Range: bytes=5000-\r\nConnection: close\r\n");
        let mut patterns = vec![
            ("downloads", Manner::Quick, get("Connection: close\r\n")),
            ("slow readers", Manner::SlowReader, get("")),
            ("pipelined", Manner::SlowReader, pipelined),
            ("ranges", Manner::Quick, ranges),
        ];
        if let Some(path) = self.upload {
            let put = |length: usize| {
                let head = format!(
                    "PUT {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
                );
                (head, length)
            };
            // Mixed sizes leave a heap in pieces.
            let sizes = (1..=50).map(|number| put(UPLOAD * (number * 17 % 53) / 53));
            patterns.push(("slow bodies", Manner::SlowBody, vec![put(UPLOAD)]));
            patterns.push(("uploads", Manner::Quick, vec![put(UPLOAD)]));
            patterns.push(("mixed uploads", Manner::Quick, sizes.collect()));
        }
        patterns
    }

    /// Uploads what is asked for.
    fn fill(&self, address: SocketAddr) {
        let Some(path) = self.upload else {
            return;
        };
        let put = |path: &str, body: &[u8]| {
            let client = Client::connect(address.ip(), address.port());
            let mut client = client.expect("the server accepts");
            let head = format!(
                "PUT {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            client.send(head.as_bytes()).expect("the server reads");
            client.send(body).expect("the server reads");
            client.response("PUT").expect("the server answers");
        };
        put(path, &vec![b'x'; UPLOAD]);
        if self.small.1 == 200 {
            put(self.small.0, b"small");
        }
    }

    fn start(&self, lab: &Lab, memory: u32) -> (Program, SocketAddr) {
        let mut launch = Launch::new(self.name, MICROVM).memory(memory);
        if let Some(disk) = &self.disk {
            launch = launch.attach(Attached::new(disk));
        }
        let (program, address) = launch
            .arguments(["--stats=1", "--log=info,net:debug,access:warn"])
            .arguments(self.arguments.iter().copied())
            .start_in(lab);
        program.wait_for("listening");
        (program, SocketAddr::new(address, self.port))
    }
}

/// How many connections the program says that it takes.
fn admitted(program: &Program) -> usize {
    let text = program.wait_for("at most ");
    let number = text.split("at most ").nth(1);
    let number = number.and_then(|rest| rest.split_whitespace().next());
    let number = number.and_then(|word| word.parse().ok());
    MOST.min(number.expect("a number follows"))
}

/// Kilobytes of the heap in use, as the program has logged last.
fn heap_used(program: &Program) -> usize {
    let find = |text: &str| {
        // The last one may not be there to its end yet.
        let mut figures = text
            .rsplit("heap ")
            .filter_map(|rest| rest.split_once(" KB"));
        figures.find_map(|(number, _)| number.parse().ok())
    };
    let text = program.wait_until("the heap's use", |text| find(text).is_some());
    find(&text).expect("it was there")
}

/// Asks for the small page, on a connection of its own. Tells whether it comes.
fn ask(address: SocketAddr, (path, status): (&str, u16)) -> bool {
    /// How long a client waits before it asks again.
    const PAUSE: Duration = Duration::from_secs(10);
    let client = Client::connect_within(address.ip(), address.port(), PAUSE);
    let response = client.and_then(|mut client| client.get(path));
    response.is_ok_and(|response| response.status == status)
}

/// Asks for the small page over and over, until `is_over`. Returns how long it took at most, and
/// how often it did not come.
fn visit(address: SocketAddr, small: (&str, u16), is_over: &AtomicBool) -> (Duration, usize) {
    let (mut longest, mut failures) = (Duration::ZERO, 0);
    while !is_over.load(Ordering::Relaxed) {
        let start = Instant::now();
        failures += usize::from(!ask(address, small));
        longest = longest.max(start.elapsed());
        thread::sleep(Duration::from_millis(50));
    }
    (longest, failures)
}

/// Lets a crowd stay for a while. Returns how long somebody beside it waited at most, and how often
/// in vain.
fn beside(mut crowd: Crowd, address: SocketAddr, small: (&str, u16)) -> (Duration, usize) {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let visitor = scope.spawn(|| visit(address, small, &is_over));
        crowd.run(STAY);
        is_over.store(true, Ordering::Relaxed);
        // The crowd goes on until the visitor has got the last page.
        while !visitor.is_finished() {
            crowd.run(Duration::from_millis(100));
        }
        visitor.join().expect("the visitor is served")
    })
}

/// Waits until no more of the heap is in use than before, but for what tables and pools keep.
fn assert_memory_returns(program: &Program, before: usize, memory: u32) {
    let most = before + memory as usize * 1024 / 10;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = heap_used(program);
        if now <= most {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{before} KB before, {now} KB a minute after"
        );
        thread::sleep(Duration::from_secs(1));
    }
}

/// Sends crowds of each kind to a server: as many clients as it takes, and twice as many.
fn endure(subject: &Subject) {
    need_descriptors(4 * MOST as u64 + 1_000);
    for memory in subject.memories.iter().copied() {
        let lab = Lab::enter();
        let (mut program, address) = subject.start(&lab, memory);
        subject.fill(address);
        let admitted = admitted(&program);
        let before = heap_used(&program);
        for (name, manner, requests) in subject.patterns() {
            for count in [admitted, 2 * admitted] {
                let crowd = Crowd::new(address, count, manner, requests.clone());
                let (longest, failures) = beside(crowd, address, subject.small);
                println!(
                    "{} with {memory} MiB, {count} clients, {name}: {longest:?}, {failures} in vain, {} KB",
                    subject.name,
                    heap_used(&program)
                );
                assert!(program.is_running(), "{name} of {count} end the machine");
                // Crowds that come again at once keep a disk and the host busy: who waits behind
                // them may give up, or be told to come back.
                let is_busy = manner == Manner::Quick || manner == Manner::SlowBody;
                let may_fail = is_busy && subject.disk.is_some();
                assert!(may_fail || failures == 0, "{name} of {count}");
            }
        }
        let deadline = Instant::now() + PATIENCE;
        while !ask(address, subject.small) {
            assert!(Instant::now() < deadline, "nobody is served any more");
        }
        assert_memory_returns(&program, before, memory);
    }
}

/// A folder with a small page and a large one, and room for a disk.
fn pages() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let pages = folder.path().join("pages");
    fs::create_dir(&pages).expect("it is new");
    fs::write(pages.join("index.html"), "small").expect("there is room");
    fs::write(pages.join("large"), vec![b'x'; LARGE]).expect("there is room");
    let disk = folder.path().join("disk");
    (folder, disk)
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_site_in_the_image_endures_crowds() {
    endure(&Subject {
        name: "site",
        port: 80,
        arguments: &[],
        disk: None,
        memories: MEMORIES,
        small: ("/", 200),
        large: "/",
        upload: None,
    });
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_site_on_a_disk_endures_crowds() {
    let (folder, disk) = pages();
    make_disk(&disk, 16 << 20);
    let path = disk.to_str().expect("paths in the tests are UTF-8");
    let pages = folder.path().join("pages");
    let pages = pages.to_str().expect("paths in the tests are UTF-8");
    succeed(&tool(), ["disk", "format", path]);
    succeed(&tool(), ["disk", "put", path, pages]);
    endure(&Subject {
        name: "site-disk",
        port: 80,
        arguments: &[],
        disk: Some(disk),
        memories: MEMORIES,
        small: ("/", 200),
        large: "/large",
        upload: None,
    });
}

/// A disk without anything.
fn blank() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let disk = folder.path().join("disk");
    make_disk(&disk, 64 << 20);
    (folder, disk)
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_store_endures_crowds() {
    let (_folder, disk) = blank();
    endure(&Subject {
        name: "kv",
        port: 8080,
        arguments: &["--format"],
        disk: Some(disk),
        memories: MEMORIES,
        small: ("/small", 200),
        large: "/large",
        upload: Some("/large"),
    });
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_queue_endures_crowds() {
    let (_folder, disk) = blank();
    endure(&Subject {
        name: "queue",
        port: 8080,
        arguments: &[],
        disk: Some(disk),
        memories: MEMORIES,
        // A path that it does not know.
        small: ("/", 400),
        large: "/downloader",
        upload: Some("/uploader"),
    });
}
