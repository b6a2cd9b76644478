//! Helpers that several tests share.

use fata_ci::{Client, Lab, Launch, Machine, Platform, Program, Stats};
use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::net::IpAddr;
use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::Duration;

/// The smallest and quickest machine, where one will do.
pub const MICROVM: Platform = Platform::Machine(Machine::Microvm);

/// The line with which bench-guest says that all its ports are open.
pub const BENCH_LISTENING: &str = "bench-guest: listening";

/// Starts bench-guest with this much memory and waits until it serves.
#[track_caller]
pub fn bench_guest(lab: &Lab, platform: Platform, memory: u32) -> (Program, IpAddr) {
    let (program, address) = Launch::new("bench-guest", platform)
        .memory(memory)
        .start_in(lab);
    program.wait_for(BENCH_LISTENING);
    (program, address)
}

/// Gets the benchmark's page on a connection of its own.
#[track_caller]
pub fn assert_serves(address: IpAddr) {
    let mut client = Client::connect(address, 80).expect("the server accepts");
    let response = client.get("/").expect("the server answers");
    assert_eq!(
        (response.status, &response.body[..]),
        (200, &b"Hello, World!"[..])
    );
}

/// Bytes of bench-guest's heap in use.
#[track_caller]
pub fn heap_used(address: IpAddr) -> usize {
    Stats::of(address, 80).heap_used
}

/// Sends many requests at once, so that the device's pools of buffers have grown to their bounds
/// and what is allocated later has another reason.
#[track_caller]
pub fn warm_up(address: IpAddr) {
    let connect = |_| Client::connect(address, 80).expect("the server accepts");
    let mut clients: Vec<Client> = (0..300).map(connect).collect();
    for _ in 0..5 {
        for client in &mut clients {
            let request = b"GET / HTTP/1.1\r\nHost: guest\r\n\r\n";
            client.send(request).expect("the server reads");
        }
        for client in &mut clients {
            client.response("GET").expect("the server answers");
        }
    }
    drop(clients);
    settle(address);
}

/// Waits until the heap does not shrink any more: connections end in the background.
#[track_caller]
fn settle(address: IpAddr) {
    let mut used = usize::MAX;
    loop {
        let before = std::mem::replace(&mut used, heap_used(address));
        if used >= before {
            return;
        }
        thread::sleep(Duration::from_millis(250));
    }
}

/// Makes a disk of zeroes.
#[track_caller]
pub fn make_disk(path: &Path, bytes: u64) {
    let file = File::create(path).and_then(|file| file.set_len(bytes));
    file.expect("there is room for a disk");
}

/// A terminal: the side of whoever sits at it, and that of a process.
#[track_caller]
pub fn pseudoterminal() -> (File, File) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("there are ptys");
    let unlocked = grantpt(&terminal).and_then(|()| unlockpt(&terminal));
    unlocked.expect("it is new");
    let name = ptsname(&terminal, Vec::new()).expect("it has a name");
    let process_side = open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty());
    (terminal.into(), process_side.expect("it exists").into())
}

/// A process of one's own making, which is killed when the test fails.
pub struct Killed(pub Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How often a test kills a program: what `FATA_KILLS` says, or a few times.
pub fn kills() -> u64 {
    let given = std::env::var("FATA_KILLS").ok();
    given.map_or(10, |text| text.parse().expect("FATA_KILLS is a number"))
}

/// How long a program runs before it is killed: any time up to a second.
pub fn moment_of_kill(round: u64) -> Duration {
    Duration::from_millis(round.wrapping_mul(0xD134_2543_DE82_EF95) >> 54)
}
