//! What a request costs with few and with many open connections, and the memory of each.

use crate::network::{GUEST, boot, connect, cost, get};
use fata_ci::{Client, Lab, Machine, Stats, TAP, need_descriptors, succeed};

const FEW: usize = 10;
const MANY: usize = 10_000;
const REQUESTS: u64 = 10_000;
/// MiB, so that memory bounds nothing here; the system tests have a machine with 64.
const MEMORY: u32 = 512;

pub fn print(lab: &Lab) {
    need_descriptors(MANY as u64 + 100);
    // Else the host lets acknowledgements wait for the next request of a connection, which
    // comes soon where there are few: then there would be fewer packets, too.
    let route = [
        "route",
        "replace",
        "198.51.100.0/24",
        "dev",
        TAP,
        "quickack",
        "1",
    ];
    succeed("ip", route);
    let _guest = boot(
        lab,
        Machine::Microvm,
        &["--max-connections=12000"],
        MEMORY,
        &[],
    );
    println!("instructions of a request (keep-alive, the average of {REQUESTS}, Microvm)");
    let mut clients = open(FEW);
    let few = cost(REQUESTS, |times| in_turn(&mut clients, times));
    println!("{FEW:>6} connections, all active        {few:>10.0}");
    let before = Stats::of(GUEST, 80).heap_used;
    clients.extend(open(MANY - FEW));
    let idle = cost(REQUESTS, |times| in_turn(&mut clients[..FEW], times));
    let heap = Stats::of(GUEST, 80).heap_used - before;
    let active = cost(REQUESTS, |times| in_turn(&mut clients, times));
    for (name, many) in [("10 active", idle), ("all active", active)] {
        let ratio = many / few;
        println!("{MANY:>6} connections, {name:<17} {many:>10.0}, {ratio:.3} of the first");
    }
    println!(
        "bytes of heap for an idle connection {}",
        heap / (MANY - FEW)
    );
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
