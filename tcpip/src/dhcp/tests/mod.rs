//! The client under a fake clock, with servers that are made of single messages.

extern crate std;

mod leases;
mod messages;
mod states;

use super::client::{Client, State};
use super::lease::Lease;
use super::message::{HEADER, code};
use crate::ports::Random;
use core::net::Ipv4Addr;
use core::time::Duration;
use fata_net::MacAddress;
use fata_time::Instant;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

const MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 254);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 253);
const OWN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 50);
const MASK: (u8, &[u8]) = (code::MASK, &[255, 255, 255, 0]);
const HOUR: (u8, &[u8]) = (code::LEASE_TIME, &[0, 0, 0x0e, 0x10]);

const DISCOVER: u8 = 1;
const OFFER: u8 = 2;
const REQUEST: u8 = 3;
const DECLINE: u8 = 4;
const ACK: u8 = 5;
const NAK: u8 = 6;

/// The numbers and values of options.
type Options<'a> = &'a [(u8, &'a [u8])];

/// A message of the client.
#[derive(Debug)]
struct Sent {
    bytes: Vec<u8>,
    source: Ipv4Addr,
    server: Option<Ipv4Addr>,
    probes: Option<Ipv4Addr>,
    at: Instant,
}

impl Sent {
    fn option(&self, wanted: u8) -> Option<&[u8]> {
        let mut rest = &self.bytes[HEADER..];
        while let [code, length, after @ ..] = rest {
            if *code == code::END {
                break;
            }
            let (value, next) = after.split_at(usize::from(*length));
            if *code == wanted {
                return Some(value);
            }
            rest = next;
        }
        None
    }

    fn kind(&self) -> u8 {
        self.option(code::KIND).expect("a kind")[0]
    }
}

/// A client, its clock, and what it has sent last.
struct Net {
    client: Client,
    random: Random,
    now: Instant,
    transaction: [u8; 4],
}

impl Net {
    fn new(seed: u64) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        Self {
            client: Client::new(MAC, Some("web-1"), 1_500, now),
            random: Random::new(seed),
            now,
            transaction: [0; 4],
        }
    }

    /// The message that is due now, taken as sent.
    fn sent(&mut self) -> Option<Sent> {
        let outgoing = self.client.poll(self.now, &mut self.random)?;
        self.client.note_sent(self.now, &mut self.random);
        let bytes = outgoing.message.as_ref().to_vec();
        self.transaction.copy_from_slice(&bytes[4..8]);
        Some(Sent {
            bytes,
            source: outgoing.source,
            server: outgoing.server,
            probes: outgoing.probes,
            at: self.now,
        })
    }

    /// The next message, whenever it comes.
    fn next(&mut self) -> Sent {
        for _ in 0..10 {
            if let Some(sent) = self.sent() {
                return sent;
            }
            self.now = self.client.deadline().expect("something is to come");
        }
        panic!("nothing is sent");
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
    }

    /// A server's message in the transaction under way.
    fn message(
        &self,
        server: Ipv4Addr,
        kind: u8,
        address: Ipv4Addr,
        options: Options<'_>,
    ) -> Vec<u8> {
        let mut bytes = vec![2, 1, 6, 0];
        bytes.extend(self.transaction);
        bytes.extend([0; 8]);
        bytes.extend(address.octets());
        bytes.extend([0; 8]);
        bytes.extend(MAC.0);
        bytes.resize(236, 0);
        bytes.extend([99, 130, 83, 99]);
        bytes.extend([code::KIND, 1, kind]);
        bytes.extend([code::SERVER, 4]);
        bytes.extend(server.octets());
        for (code, value) in options {
            bytes.extend([*code, value.len() as u8]);
            bytes.extend(*value);
        }
        bytes.push(code::END);
        bytes
    }

    fn receive(&mut self, bytes: &[u8]) {
        let (client, random) = (&mut self.client, &mut self.random);
        client.receive(SERVER, bytes, self.now, random);
    }

    /// Lets a server say something.
    fn say(&mut self, server: Ipv4Addr, kind: u8, address: Ipv4Addr, options: Options<'_>) {
        let bytes = self.message(server, kind, address, options);
        self.receive(&bytes);
    }

    /// Has the server lend the usual address.
    fn lend(&mut self, options: Options<'_>) {
        self.lend_address(OWN, options);
    }

    fn lend_address(&mut self, address: Ipv4Addr, options: Options<'_>) {
        assert_eq!(self.next().kind(), DISCOVER);
        self.say(SERVER, OFFER, address, options);
        assert_eq!(self.next().kind(), REQUEST);
        self.say(SERVER, ACK, address, options);
        assert_eq!(self.client.state(), State::Bound);
    }

    fn lease(&self) -> &Lease {
        self.client.lease().expect("there is a lease")
    }

    fn trouble(&self) -> String {
        self.client.trouble().to_string()
    }
}

/// A client with a lease that has these options.
fn lent(options: Options<'_>) -> Net {
    let mut net = Net::new(1);
    net.lend(options);
    net
}
