//! Messages of the client (RFC 2131, section 4.4, table 5).

use super::message::{
    CLIENT_ADDRESS, COOKIE, HARDWARE_ADDRESS, HEADER, MAGIC, SECONDS, TRANSACTION, code,
};
use core::net::Ipv4Addr;
use fata_net::MacAddress;

/// Bytes of the longest message, whose host name has [`LONGEST_NAME`] bytes, and of the shortest
/// that all servers and relay agents take (RFC 1542, section 2.1).
const LONGEST: usize = 360;
const SHORTEST: usize = 300;
/// A longer host name is not told: parts of names have so many bytes (RFC 1035, section 2.3.4).
pub(super) const LONGEST_NAME: usize = 63;
/// A request; Ethernet, whose addresses have six bytes.
const REQUEST: [u8; 3] = [1, 1, 6];
/// Options that servers are asked for. Routes stand before routers (RFC 3442).
const REQUEST_LIST: [u8; 8] = [
    code::ROUTES,
    code::MASK,
    code::ROUTERS,
    code::NAME_SERVERS,
    code::MTU,
    code::LEASE_TIME,
    code::RENEWAL_TIME,
    code::REBINDING_TIME,
];

/// Type of a client's message (RFC 2132, section 9.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Discover = 1,
    Request = 3,
    Decline = 4,
}

/// Content of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content<'a> {
    pub(super) kind: Kind,
    pub(super) transaction: u32,
    pub(super) seconds: u16,
    pub(super) mac: MacAddress,
    /// The address in use, or none.
    pub(super) own: Ipv4Addr,
    /// The server that is meant, and the address that it has offered.
    pub(super) chosen: Option<(Ipv4Addr, Ipv4Addr)>,
    /// The longest packet that can be received, in bytes.
    pub(super) mtu: u16,
    pub(super) host_name: Option<&'a str>,
}

/// A message.
pub(in super::super) struct Request {
    bytes: [u8; LONGEST],
    length: usize,
}

impl AsRef<[u8]> for Request {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length.max(SHORTEST)]
    }
}

impl Request {
    pub(super) fn new(content: &Content<'_>) -> Self {
        let mut request = Self {
            bytes: [0; LONGEST],
            length: 0,
        };
        request.write(0, &REQUEST);
        request.write(TRANSACTION, &content.transaction.to_be_bytes());
        request.write(SECONDS, &content.seconds.to_be_bytes());
        request.write(CLIENT_ADDRESS, &content.own.octets());
        request.write(HARDWARE_ADDRESS, &content.mac.0);
        request.write(MAGIC, &COOKIE);
        request.length = HEADER;
        request.push_options(content);
        request.push(&[code::END]);
        request
    }

    fn push_options(&mut self, content: &Content<'_>) {
        self.push(&[code::KIND, 1, content.kind as u8]);
        // Ethernet's kind of hardware, and the address (RFC 2132, section 9.14).
        self.push(&[code::CLIENT, 7, 1]);
        self.push(&content.mac.0);
        if let Some((server, offered)) = content.chosen {
            self.push_option(code::REQUESTED_ADDRESS, &offered.octets());
            self.push_option(code::SERVER, &server.octets());
        }
        if content.kind == Kind::Decline {
            return;
        }
        self.push_option(code::LONGEST_MESSAGE, &content.mtu.to_be_bytes());
        self.push_option(code::REQUEST_LIST, &REQUEST_LIST);
        if let Some(name) = content.host_name {
            self.push_option(code::HOST_NAME, name.as_bytes());
        }
    }

    /// Appends an option of up to 255 bytes.
    fn push_option(&mut self, code: u8, value: &[u8]) {
        self.push(&[code, value.len() as u8]);
        self.push(value);
    }

    fn push(&mut self, bytes: &[u8]) {
        self.write(self.length, bytes);
        self.length += bytes.len();
    }

    fn write(&mut self, place: usize, bytes: &[u8]) {
        self.bytes[place..][..bytes.len()].copy_from_slice(bytes);
    }
}
