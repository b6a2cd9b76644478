//! An image that counts what its parts allocate.

use crate::support::{BENCH_LISTENING, MICROVM, heap_used};
use fata_ci::{Client, Lab, Launch};
use std::net::IpAddr;

const PARTS: [&str; 5] = ["network", "http", "storage", "program", "system"];
/// Connections of clients that wait.
const CLIENTS: usize = 100;
/// The bytes that a connection allocates at least, once its request was answered.
const LEAST: usize = 500;

/// The bytes that each part has allocated, as a client is told.
#[track_caller]
fn allocated(address: IpAddr) -> [usize; PARTS.len()] {
    let mut client = Client::connect(address, 80).expect("the server accepts");
    let answer = client.get("/metrics").expect("the server answers");
    let text = String::from_utf8(answer.body).expect("metrics are text");
    PARTS.map(|part| {
        let name = format!("memory_allocated_bytes{{part=\"{part}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&name));
        let number = line.and_then(|number| number.parse().ok());
        number.unwrap_or_else(|| panic!("no {name:?} in {text}"))
    })
}

#[test]
#[ignore = "boots a virtual machine; ci/test runs it"]
fn an_image_tells_what_each_part_of_it_allocates() {
    let lab = Lab::enter();
    let (program, address) = Launch::new("tallied", MICROVM)
        .arguments(["--stats=1"])
        .start_in(&lab);
    program.wait_for(BENCH_LISTENING);
    let before = allocated(address);
    let idle: Vec<Client> = (0..CLIENTS)
        .map(|_| {
            let mut client = Client::connect(address, 80).expect("the server accepts");
            client.get("/").expect("the server answers");
            client
        })
        .collect();
    let during = allocated(address);
    for part in ["network", "http"] {
        let index = PARTS.iter().position(|name| *name == part);
        let index = index.expect("it is a part");
        let grown = during[index].saturating_sub(before[index]);
        assert!(
            grown >= CLIENTS * LEAST,
            "{part}: {before:?}, then {during:?}"
        );
    }
    // The parts are all of the heap, without the number in front of each block.
    let (sum, heap) = (during.iter().sum::<usize>(), heap_used(address));
    assert!(
        sum <= heap && sum >= heap / 10 * 9,
        "{during:?}: {sum} of {heap} bytes"
    );
    for part in PARTS {
        let line = format!("INFO  stats: {part}: ");
        program.wait_until(&line, |text| {
            text.lines()
                .any(|seen| seen.contains(&line) && seen.ends_with(" KB allocated"))
        });
    }
    drop(idle);
}
