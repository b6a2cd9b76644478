//! Prints how fast uploads are taken, each durable before it is answered, and given back: by the
//! example `queue` in a machine, beside nginx with WebDAV on Linux in a machine. `ci/bench uploads`
//! builds what it needs and runs it: VMLINUX INITRD FOLDER ROUNDS.

use fata_ci::{
    Attached, Client, GUEST_IPV4, Lab, Launch, Linux, Machine, Platform, Program, succeed,
};
use std::fs::File;
use std::io::Write;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

const MIB: usize = 1 << 20;
const DISK: usize = 512 * MIB;
const LOADS: [Load; 5] = [
    Load {
        size: 4 << 10,
        clients: 1,
        items: 400,
    },
    Load {
        size: 4 << 10,
        clients: 16,
        items: 1_600,
    },
    Load {
        size: MIB,
        clients: 1,
        items: 100,
    },
    Load {
        size: MIB,
        clients: 16,
        items: 160,
    },
    Load {
        size: 16 * MIB,
        clients: 1,
        items: 12,
    },
];

/// Items of that many bytes, put by clients side by side and got by one.
struct Load {
    size: usize,
    clients: usize,
    items: usize,
}

#[derive(Clone, Copy)]
enum Peer<'p> {
    Fata,
    Nginx(Linux<'p>),
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kernel, initrd, folder, rounds] = &arguments[..] else {
        panic!("VMLINUX INITRD FOLDER ROUNDS");
    };
    let disk = Path::new(folder).join("uploads.raw");
    let nginx = Peer::Nginx(Linux {
        kernel,
        initrd,
        server: "nginx",
    });
    let rounds: usize = rounds.parse().expect("a number of rounds");
    let taken: Vec<[Vec<[f64; 2]>; 2]> = (0..rounds)
        .map(|_| [Peer::Fata, nginx].map(|peer| measure(peer, &disk)))
        .collect();
    std::fs::remove_file(&disk).expect("the disk was made here");
    println!("items a second, medians of {rounds} rounds");
    println!("                             queue     nginx  ratio (range)");
    for (number, load) in LOADS.iter().enumerate() {
        for (which, name) in ["PUT", "GET"].into_iter().enumerate() {
            let clients = if which == 0 { load.clients } else { 1 };
            let of = |peer: usize| taken.iter().map(move |round| round[peer][number][which]);
            let ratios = sorted(of(0).zip(of(1)).map(|(fata, linux)| fata / linux));
            println!(
                "{name} {:>6} KiB, clients: {clients:>2} {:>9.1} {:>9.1} {:>6.2} ({:.2} to {:.2})",
                load.size >> 10,
                sorted(of(0))[rounds / 2],
                sorted(of(1))[rounds / 2],
                ratios[rounds / 2],
                ratios[0],
                ratios[rounds - 1],
            );
        }
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Items put and got a second, for each load, by a machine with a new disk.
fn measure(peer: Peer<'_>, disk: &Path) -> Vec<[f64; 2]> {
    let run = || {
        let lab = Lab::enter();
        make_disk(disk);
        let guest = peer.start(&lab, disk);
        let rates = LOADS.iter().map(|load| peer.run(load)).collect();
        drop(guest);
        rates
    };
    // A lab belongs to its thread.
    std::thread::scope(|scope| scope.spawn(run).join().expect("all items came right"))
}

/// Written, not sparse: the first write to a hole costs the host more.
fn make_disk(path: &Path) {
    let mut file = File::create(path).expect("a disk can be made");
    let zeroes = vec![0; MIB];
    (0..DISK / MIB).for_each(|_| file.write_all(&zeroes).expect("there is room for a disk"));
    file.sync_all().expect("the disk is written");
}

impl Peer<'_> {
    fn start(self, lab: &Lab, disk: &Path) -> Program {
        match self {
            Self::Fata => {
                let (guest, _) = Launch::new("queue", Platform::Machine(Machine::Microvm))
                    .attach(Attached::new(disk))
                    .start_in(lab);
                guest.wait_for("queue: listening");
                guest
            }
            Self::Nginx(linux) => {
                let path = disk.to_str().expect("a plain path");
                succeed("mkfs.ext4", ["-q", "-F", path]);
                let guest = linux.start(lab, &Attached::new(disk));
                guest.wait_for("init: starting nginx");
                guest
            }
        }
    }

    /// Waits for the server, which may still start.
    fn connect(self) -> Client {
        let port = match self {
            Self::Fata => 8080,
            Self::Nginx(_) => 80,
        };
        let deadline = Instant::now() + fata_ci::PATIENCE;
        loop {
            match Client::connect(IpAddr::V4(GUEST_IPV4), port) {
                Ok(client) => return client,
                Err(error) => assert!(Instant::now() < deadline, "nobody listens: {error}"),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn target(self, method: &str, item: usize) -> String {
        match (self, method) {
            (Self::Fata, "PUT") => "/uploader".to_owned(),
            (Self::Fata, _) => "/downloader".to_owned(),
            (Self::Nginx(_), _) => format!("/item-{item}"),
        }
    }

    fn run(self, load: &Load) -> [f64; 2] {
        let body = vec![b'i'; load.size];
        let start = Instant::now();
        std::thread::scope(|scope| {
            for first in 0..load.clients {
                let items = (first..load.items).step_by(load.clients);
                let body = &body;
                scope.spawn(move || self.put(items, body));
            }
        });
        let put = start.elapsed().as_secs_f64();
        let got = self.get_and_delete(load.items, &body);
        [put, got].map(|seconds| load.items as f64 / seconds)
    }

    fn put(self, items: impl Iterator<Item = usize>, body: &[u8]) {
        let mut client = self.connect();
        for item in items {
            let target = self.target("PUT", item);
            let length = body.len();
            let head =
                format!("PUT {target} HTTP/1.1\r\nHost: guest\r\nContent-Length: {length}\r\n\r\n");
            client.send(head.as_bytes()).expect("the server takes it");
            client.send(body).expect("the server takes it");
            let status = client.response("PUT").expect("the server answers").status;
            assert!((200..300).contains(&status), "PUT was answered {status}");
        }
    }

    /// The seconds that all GETs took.
    fn get_and_delete(self, items: usize, body: &[u8]) -> f64 {
        let mut client = self.connect();
        let mut seconds = 0.0;
        for item in 0..items {
            let start = Instant::now();
            let answer = client
                .get(&self.target("GET", item))
                .expect("the server answers");
            seconds += start.elapsed().as_secs_f64();
            assert!(answer.status == 200 && answer.body == body, "not the item");
            let target = self.target("DELETE", item);
            let deleted = client
                .request("DELETE", &target, "")
                .expect("the server answers");
            assert!((200..300).contains(&deleted.status), "{deleted:?}");
        }
        seconds
    }
}
