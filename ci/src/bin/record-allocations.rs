//! Records what the image `recorder`, which is `site`, asks of its heap while clients use it, and
//! writes that down for the image `allocators`.

use fata_ci::{Client, GUEST_IPV4, Lab, Launch, Machine, Platform, target_folder, workspace};
use std::collections::HashMap;
use std::fs;
use std::net::IpAddr;
use trace::Operation;

extern crate alloc;

#[path = "../../images/allocators/src/trace.rs"]
#[allow(dead_code, reason = "the image reads traces")]
mod trace;

const ADDRESS: IpAddr = IpAddr::V4(GUEST_IPV4);
const ROUNDS: usize = 4;
const CLIENTS: usize = 64;
const TARGETS: [&str; 8] = [
    "/",
    "/guide/",
    "/design/",
    "/limits/",
    "/style.css",
    "/logo.svg",
    "/guide",
    "/nowhere",
];

fn main() {
    let records = target_folder().join("ci/allocations");
    fs::create_dir_all(records.parent().expect("it was joined")).expect("it can be made");
    let lab = Lab::enter();
    let console = format!("file,id=records,path={}", records.display());
    let machine = Platform::Machine(Machine::Microvm);
    let launch = Launch::new("recorder", machine).qemu_arguments([
        "-chardev",
        &console,
        "-device",
        "isa-debugcon,iobase=0xe9,chardev=records",
    ]);
    let (site, _) = launch.start_in(&lab);
    site.wait_for("listening on port");
    (0..ROUNDS).for_each(|_| drive());
    drop(site);
    let bytes = fs::read(&records).expect("QEMU has written it");
    let mut written = Vec::new();
    let mut names = Names::default();
    let (records, _) = bytes.as_chunks();
    for record in records {
        trace::write(&mut written, names.operation(record));
    }
    let file = workspace().join("ci/images/allocators/site.trace");
    fs::write(&file, &written).expect("the repository can be written to");
    println!("{}: {} operations", file.display(), records.len());
}

/// Clients as a site has them: some keep their connections, some do not, some leave without a word.
fn drive() {
    let mut keeps = connect();
    for target in TARGETS {
        let response = keeps.get(target).expect("the server answers");
        if let Some(tag) = response.header("etag") {
            let condition = format!("If-None-Match: {tag}\r\n");
            let again = keeps.request("GET", target, &condition);
            assert_eq!(again.expect("the server answers").status, 304);
        }
        keeps
            .request("HEAD", target, "")
            .expect("the server answers");
        connect()
            .request("GET", target, "Connection: close\r\n")
            .expect("the server answers");
    }
    let mut many: Vec<Client> = (0..CLIENTS).map(|_| connect()).collect();
    for (client, target) in many.iter_mut().zip(TARGETS.into_iter().cycle()) {
        let request = format!("GET {target} HTTP/1.1\r\nHost: guest\r\n\r\n");
        client.send(request.as_bytes()).expect("the server reads");
    }
    // Every other one leaves before the answer.
    for client in many.iter_mut().step_by(2) {
        client.response("GET").expect("the server answers");
    }
}

fn connect() -> Client {
    Client::connect(ADDRESS, 80).expect("the server accepts")
}

/// Numbers for the blocks that live. Those of freed blocks are used again.
#[derive(Default)]
struct Names {
    live: HashMap<u64, u32>,
    free: Vec<u32>,
}

impl Names {
    /// The operation of a record of the recorder.
    fn operation(&mut self, record: &[u8; 24]) -> Operation {
        let small = |at: usize| u32::from_le_bytes(*record[at..].first_chunk().expect("24 bytes"));
        let large = |at: usize| u64::from_le_bytes(*record[at..].first_chunk().expect("24 bytes"));
        let (size, align, old, new) = (small(0), small(4), large(8), large(16));
        if old == 0 {
            assert_ne!(new, 0, "the image ran out of memory");
            let next = self.live.len() as u32;
            let block = self.free.pop().unwrap_or(next);
            self.live.insert(new, block);
            return Operation::Allocate { block, size, align };
        }
        let block = self.live.remove(&old).expect("it was handed out");
        if new == 0 {
            self.free.push(block);
            return Operation::Free { block };
        }
        self.live.insert(new, block);
        Operation::Resize { block, size }
    }
}
