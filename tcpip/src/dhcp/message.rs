//! Messages of servers (RFC 2131, section 2; RFC 2132), read in place.

use core::net::Ipv4Addr;
use fata_net::MacAddress;

/// Bytes before the options; the last four say that options follow (RFC 2131, section 3).
pub(super) const HEADER: usize = 240;
pub(super) const COOKIE: [u8; 4] = [99, 130, 83, 99];
/// Where the fields of the header begin.
pub(super) const TRANSACTION: usize = 4;
pub(super) const SECONDS: usize = 8;
pub(super) const CLIENT_ADDRESS: usize = 12;
const YOUR_ADDRESS: usize = 16;
pub(super) const HARDWARE_ADDRESS: usize = 28;
const SERVER_NAME: usize = 44;
const FILE: usize = 108;
pub(super) const MAGIC: usize = 236;
/// An answer; Ethernet, whose addresses have six bytes.
const REPLY: [u8; 3] = [2, 1, 6];

/// The numbers of options (RFC 2132, RFC 3442).
pub(super) mod code {
    pub(in super::super) const PAD: u8 = 0;
    pub(in super::super) const MASK: u8 = 1;
    pub(in super::super) const ROUTERS: u8 = 3;
    pub(in super::super) const NAME_SERVERS: u8 = 6;
    pub(in super::super) const HOST_NAME: u8 = 12;
    pub(in super::super) const MTU: u8 = 26;
    pub(in super::super) const REQUESTED_ADDRESS: u8 = 50;
    pub(in super::super) const LEASE_TIME: u8 = 51;
    pub(in super::super) const OVERLOAD: u8 = 52;
    pub(in super::super) const KIND: u8 = 53;
    pub(in super::super) const SERVER: u8 = 54;
    pub(in super::super) const REQUEST_LIST: u8 = 55;
    pub(in super::super) const LONGEST_MESSAGE: u8 = 57;
    pub(in super::super) const RENEWAL_TIME: u8 = 58;
    pub(in super::super) const REBINDING_TIME: u8 = 59;
    pub(in super::super) const CLIENT: u8 = 61;
    pub(in super::super) const ROUTES: u8 = 121;
    pub(in super::super) const END: u8 = 255;
}

/// Type of a server's message (RFC 2132, section 9.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Offer,
    Ack,
    Nak,
}

/// A server's message.
pub(super) struct Message<'a> {
    bytes: &'a [u8],
    /// Where its options are, in the order in which they count (RFC 3396, section 5).
    areas: [&'a [u8]; 3],
}

impl<'a> Message<'a> {
    /// The message in `bytes`, if it is an answer to the host `mac` in this transaction.
    pub(super) fn parse(bytes: &'a [u8], mac: MacAddress, transaction: u32) -> Option<Self> {
        let (header, options) = bytes.split_at_checked(HEADER)?;
        let is_answer = header[..REPLY.len()] == REPLY
            && header[TRANSACTION..][..4] == transaction.to_be_bytes()
            && header[HARDWARE_ADDRESS..][..6] == mac.0
            && header[MAGIC..] == COOKIE;
        if !is_answer {
            return None;
        }
        let mut message = Self {
            bytes,
            areas: [options, &[], &[]],
        };
        let mut overload = [0];
        message.read(code::OVERLOAD, &mut overload);
        if overload[0] & 1 != 0 {
            message.areas[1] = &bytes[FILE..MAGIC];
        }
        if overload[0] & 2 != 0 {
            message.areas[2] = &bytes[SERVER_NAME..FILE];
        }
        Some(message)
    }

    /// Copies the value of an option, all of its parts together (RFC 3396), as far as there is
    /// room. Returns how many bytes that were.
    pub(super) fn read(&self, code: u8, value: &mut [u8]) -> usize {
        let mut length = 0;
        for area in self.areas {
            let parts = Options(area).filter(|(own, _)| *own == code);
            for (_, part) in parts {
                let room = &mut value[length..];
                let count = part.len().min(room.len());
                room[..count].copy_from_slice(&part[..count]);
                length += count;
            }
        }
        length
    }

    /// The value of an option with at least so many bytes.
    pub(super) fn value<const N: usize>(&self, code: u8) -> Option<[u8; N]> {
        let mut value = [0; N];
        (self.read(code, &mut value) == N).then_some(value)
    }

    /// The value of an option that is an address.
    pub(super) fn address(&self, code: u8) -> Option<Ipv4Addr> {
        self.value(code).map(Ipv4Addr::from_octets)
    }

    /// The value of an option that is a time in seconds.
    pub(super) fn seconds(&self, code: u8) -> Option<u32> {
        self.value(code).map(u32::from_be_bytes)
    }

    /// The address that is offered or lent.
    pub(super) fn your_address(&self) -> Ipv4Addr {
        let field = self.bytes[YOUR_ADDRESS..].first_chunk();
        field.map_or(Ipv4Addr::UNSPECIFIED, |octets| {
            Ipv4Addr::from_octets(*octets)
        })
    }

    pub(super) fn kind(&self) -> Option<Kind> {
        match self.value(code::KIND)? {
            [2] => Some(Kind::Offer),
            [5] => Some(Kind::Ack),
            [6] => Some(Kind::Nak),
            _ => None,
        }
    }
}

/// The options in one place, with their numbers. They end where one is cut off.
struct Options<'a>(&'a [u8]);

impl<'a> Iterator for Options<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (&code, rest) = self.0.split_first()?;
            match code {
                code::PAD => self.0 = rest,
                code::END => return None,
                _ => {
                    let (&length, rest) = rest.split_first()?;
                    let (value, rest) = rest.split_at_checked(length.into())?;
                    self.0 = rest;
                    return Some((code, value));
                }
            }
        }
    }
}
