//! The program with a store, or its machine, is killed at random moments under load, and started
//! again on the same disk: what was acknowledged is there, bit for bit, and the store is sound.

use super::{BOTH, start, text};
use crate::queue::item;
use crate::support::{kills, make_disk, moment_of_kill};
use crate::tool::tool;
use fata_ci::{Client, Lab, Response, succeed};
use std::io;
use std::net::IpAddr;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// Clients that make changes at once, each of keys of its own.
const WORKERS: u64 = 4;
const KEYS: u64 = 20;

/// After so long a machine that does not answer counts as killed, which it does not tell.
const GONE: Duration = Duration::from_secs(1);

/// The client's knowledge of a key. Values have numbers, from which their bytes follow.
#[derive(Clone, Copy, Default)]
struct Known {
    value: Option<u64>,
    /// The value that a change which was not answered may have made of it.
    possible: Option<Option<u64>>,
}

/// The length of a value: up to 64 KiB.
fn length(number: u64) -> usize {
    (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48) as usize
}

fn path(worker: u64, key: u64) -> String {
    format!("/worker{worker}/key{key}")
}

/// Gives a key a value, or removes it.
fn change(address: IpAddr, path: &str, value: Option<u64>) -> io::Result<Response> {
    let mut client = Client::connect_within(address, 8080, GONE)?;
    let Some(number) = value else {
        return client.request("DELETE", path, "");
    };
    let body = item(number, length(number));
    let length = body.len();
    let head = format!("PUT {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n");
    client.send(head.as_bytes())?;
    client.send(&body)?;
    client.response("PUT")
}

/// Makes one change after the other until the server is gone. Returns how many it has made.
fn change_until_gone(address: IpAddr, worker: u64, keys: &mut [Known], mut number: u64) -> usize {
    let mut acknowledged = 0;
    loop {
        number += 1;
        let key = (number.wrapping_mul(0xD134_2543_DE82_EF95) >> 32) % KEYS;
        let known = &mut keys[key as usize];
        let value = (!number.is_multiple_of(4)).then_some(number);
        known.possible = Some(value);
        let Ok(answer) = change(address, &path(worker, key), value) else {
            return acknowledged;
        };
        match answer.status {
            204 => {
                known.value = value;
                acknowledged += 1;
            }
            404 => assert!(value.is_none() && known.value.is_none(), "{}", answer.head),
            status => assert_eq!(status, 507, "{}", answer.head),
        }
        known.possible = None;
    }
}

/// Compares what is there after a kill with what may be, and notes what is there.
fn compare(address: IpAddr, worker: u64, keys: &mut [Known]) {
    for (key, known) in (0..).zip(keys) {
        let path = path(worker, key);
        let mut client = Client::connect(address, 8080).expect("the server accepts");
        let answer = client.get(&path).expect("the server answers");
        let found = match answer.status {
            200 => Some(answer.body),
            status => {
                assert_eq!(status, 404, "{}", answer.head);
                None
            }
        };
        let is = |value: Option<u64>| value.map(|number| item(number, length(number))) == found;
        let possible = known.possible.filter(|possible| is(*possible));
        assert!(possible.is_some() || is(known.value), "{path} is lost");
        *known = Known {
            value: possible.unwrap_or(known.value),
            possible: None,
        };
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_kill_at_any_moment_loses_nothing() {
    for platform in BOTH {
        let lab = Lab::enter();
        let folder = TempDir::new().expect("there is room");
        let disk = folder.path().join("disk.img");
        make_disk(&disk, 16 << 20);
        let mut known = vec![vec![Known::default(); KEYS as usize]; WORKERS as usize];
        let mut acknowledged = 0;
        for round in 0..=kills() {
            let (program, address) = start(&lab, "kv", platform, &disk, &["--format"]);
            for (worker, keys) in (0..).zip(&mut known) {
                compare(address, worker, keys);
            }
            thread::scope(|scope| {
                let workers: Vec<_> = (0..)
                    .zip(&mut known)
                    .map(|(worker, keys)| {
                        let first = (round * WORKERS + worker) << 32;
                        scope.spawn(move || change_until_gone(address, worker, keys, first))
                    })
                    .collect();
                thread::sleep(moment_of_kill(round));
                drop(program);
                for worker in workers {
                    acknowledged += worker.join().expect("the changes came right");
                }
            });
            succeed(&tool(), ["disk", "check", text(&disk)]);
        }
        assert!(acknowledged > 0, "nothing was changed");
        println!("{platform:?}: {acknowledged} changes acknowledged");
    }
}
