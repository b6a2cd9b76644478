//! The cost of a request with few and with many open connections, and the memory of each.

use crate::network::{GUEST, boot, connect, cost, get};
use fata_ci::{Client, Figures, Lab, Machine, Stats, need_descriptors};

const FEW: usize = 10;
const MANY: usize = 10_000;
const REQUESTS: u64 = 10_000;
/// MiB, so that memory bounds nothing here; the system tests have a machine with 64.
const MEMORY: u32 = 512;

/// To be called where the host acknowledges each segment at once, for the same number of packets
/// with few connections as with many.
pub fn measure(figures: &mut Figures, lab: &Lab) {
    need_descriptors(MANY as u64 + 100);
    let _guest = boot(
        lab,
        Machine::Microvm,
        &["--max-connections=12000"],
        MEMORY,
        &[],
    );
    let mut clients = open(FEW);
    let few = cost(REQUESTS, |times| in_turn(&mut clients, times));
    figures.add("crowd.request-of-10", few);
    let before = Stats::of(GUEST, 80).heap_used;
    clients.extend(open(MANY - FEW));
    let idle = cost(REQUESTS, |times| in_turn(&mut clients[..FEW], times));
    figures.add("crowd.request-of-10-beside-10000", idle);
    let heap = Stats::of(GUEST, 80).heap_used - before;
    let active = cost(REQUESTS, |times| in_turn(&mut clients, times));
    figures.add("crowd.request-of-10000", active);
    figures.add("heap.idle-connection", (heap / (MANY - FEW)) as u64);
}

/// Connections that have been served once.
fn open(count: usize) -> Vec<Client> {
    let open_one = |_| {
        let mut client = connect();
        get(&mut client);
        client
    };
    (0..count).map(open_one).collect()
}

fn in_turn(clients: &mut [Client], times: u64) {
    let count = clients.len();
    (0..times as usize).for_each(|number| get(&mut clients[number % count]));
}
