//! Answers, byte by byte.

use core::net::{IpAddr, SocketAddr};
use std::string::String;
use std::vec::Vec;

pub const A: u16 = 1;
pub const CNAME: u16 = 5;
pub const SOA: u16 = 6;
pub const PTR: u16 = 12;
pub const AAAA: u16 = 28;

/// A question as a server sees it.
#[derive(Clone)]
pub struct Asked {
    pub bytes: Vec<u8>,
    /// Milliseconds since the start.
    pub at: u64,
    pub server: IpAddr,
    pub client: SocketAddr,
    pub stream: bool,
}

impl Asked {
    /// The name as it was written.
    pub fn cased(&self) -> String {
        let mut name = String::new();
        let mut rest = &self.bytes[12..];
        while let [length @ (1..), tail @ ..] = rest {
            let (label, tail) = tail.split_at(usize::from(*length));
            name += core::str::from_utf8(label).expect("names are ASCII");
            name += ".";
            rest = tail;
        }
        name
    }

    pub fn name(&self) -> String {
        self.cased().to_ascii_lowercase()
    }

    pub fn id(&self) -> u16 {
        u16::from_be_bytes([self.bytes[0], self.bytes[1]])
    }

    pub fn kind(&self) -> u16 {
        let end = self.question_end();
        u16::from_be_bytes([self.bytes[end - 4], self.bytes[end - 3]])
    }

    pub fn is_extended(&self) -> bool {
        self.bytes[11] == 1
    }

    fn question_end(&self) -> usize {
        12 + self.cased().len() + 1 + 4
    }

    /// An answer with a response code, its records, and those about the zone.
    pub fn answer(&self, code: u8, records: &[Record], zone: &[Record]) -> Vec<u8> {
        let mut bytes = self.bytes[..self.question_end()].to_vec();
        bytes[2] = 0x81;
        bytes[3] = 0x80 | code;
        bytes[6..8].copy_from_slice(&(records.len() as u16).to_be_bytes());
        bytes[8..10].copy_from_slice(&(zone.len() as u16).to_be_bytes());
        bytes[10..12].copy_from_slice(&[0, 0]);
        for record in records.iter().chain(zone) {
            bytes.extend_from_slice(&wire(record.name));
            bytes.extend_from_slice(&record.kind.to_be_bytes());
            bytes.extend_from_slice(&[0, 1]);
            bytes.extend_from_slice(&record.ttl.to_be_bytes());
            bytes.extend_from_slice(&(record.data.len() as u16).to_be_bytes());
            bytes.extend_from_slice(&record.data);
        }
        bytes
    }

    /// The head of an answer with a response code, without the question.
    pub fn bare(&self, code: u8) -> Vec<u8> {
        let mut bytes = self.answer(code, &[], &[]);
        bytes.truncate(12);
        bytes[5] = 0;
        bytes
    }

    /// The question as it reaches a server behind something that makes letters small.
    pub fn lowered(&self) -> Self {
        let mut lowered = self.clone();
        let end = self.question_end() - 4;
        lowered.bytes[12..end].make_ascii_lowercase();
        lowered
    }

    /// An answer that says that it was cut.
    pub fn truncated(&self) -> Vec<u8> {
        let mut bytes = self.answer(0, &[], &[]);
        bytes[2] |= 2;
        bytes
    }
}

/// A record to answer with.
pub struct Record {
    pub name: &'static str,
    kind: u16,
    ttl: u32,
    data: Vec<u8>,
}

pub fn address(name: &'static str, address: impl Into<IpAddr>, ttl: u32) -> Record {
    let (kind, data) = match address.into() {
        IpAddr::V4(address) => (A, address.octets().to_vec()),
        IpAddr::V6(address) => (AAAA, address.octets().to_vec()),
    };
    Record {
        name,
        kind,
        ttl,
        data,
    }
}

pub fn alias(name: &'static str, target: &str, ttl: u32) -> Record {
    Record {
        name,
        kind: CNAME,
        ttl,
        data: wire(target),
    }
}

pub fn pointer(name: &'static str, target: &str, ttl: u32) -> Record {
    Record {
        name,
        kind: PTR,
        ttl,
        data: wire(target),
    }
}

/// A zone whose negative answers are good for `minimum` seconds.
pub fn zone(ttl: u32, minimum: u32) -> Record {
    let mut data = [wire("ns.example."), wire("me.example.")].concat();
    for number in [1, 2, 3, 4, minimum] {
        data.extend_from_slice(&u32::to_be_bytes(number));
    }
    Record {
        name: "example.",
        kind: SOA,
        ttl,
        data,
    }
}

/// A name in the form of the wire.
fn wire(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split_terminator('.') {
        bytes.push(label.len() as u8);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes
}
