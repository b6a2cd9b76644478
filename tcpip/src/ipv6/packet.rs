//! Frames that are sent for the interface's addresses. All go to multicast groups.

use super::message::Nonce;
use super::message::{
    NEIGHBOR_ADVERTISEMENT, NEIGHBOR_SOLICITATION, NONCE, REPORT, REPORT_VERSION_1,
    ROUTER_SOLICITATION, SOURCE_LINK_LAYER_ADDRESS, TARGET_LINK_LAYER_ADDRESS, solicited_node,
};
use super::slaac::MAX_ADDRESSES;
use core::net::Ipv6Addr;
use fata_net::MacAddress;
use smoltcp::wire::{Icmpv6Packet, IpProtocol};

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
const ALL_MULTICAST_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);

/// Bytes of the Ethernet and IPv6 headers.
const HEADERS: usize = 14 + 40;
/// Router alert, and two bytes of padding.
const HOP_BY_HOP: [u8; 8] = [58, 0, 5, 2, 0, 0, 1, 0];
/// Bytes of a report's header and of each record in it.
const REPORT_HEADER: usize = 8;
const RECORD: usize = 20;
/// A report on all groups is the longest.
const LONGEST: usize = HEADERS + HOP_BY_HOP.len() + REPORT_HEADER + RECORD * MAX_ADDRESSES;

/// Type of a report's records: everything to their groups is listened to (RFC 3810, section
/// 5.2.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Record {
    /// That was so before.
    IsExclude = 2,
    /// That is new.
    ToExclude = 4,
}

/// A frame.
pub(super) struct Packet {
    bytes: [u8; LONGEST],
    length: usize,
}

impl AsRef<[u8]> for Packet {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Packet {
    /// Asks for routers (RFC 4861, section 4.1).
    pub(super) fn router_solicitation(mac: MacAddress, source: Ipv6Addr) -> Self {
        let mut packet = Self::new(mac, source, ALL_ROUTERS);
        packet.push(&[ROUTER_SOLICITATION, 0, 0, 0, 0, 0, 0, 0]);
        packet.push(&[SOURCE_LINK_LAYER_ADDRESS, 1]);
        packet.push(&mac.0);
        packet.finish()
    }

    /// Asks whether somebody has an address (RFC 4862, section 5.4.2; RFC 7527).
    pub(super) fn probe(mac: MacAddress, target: Ipv6Addr, nonce: Nonce) -> Self {
        let mut packet = Self::new(mac, Ipv6Addr::UNSPECIFIED, solicited_node(target));
        packet.push(&[NEIGHBOR_SOLICITATION, 0, 0, 0, 0, 0, 0, 0]);
        packet.push(&target.octets());
        packet.push(&[NONCE, 1]);
        packet.push(&nonce);
        packet.finish()
    }

    /// Asks for a neighbor's hardware address, and so whether it is there (RFC 4861, section 4.3).
    pub(super) fn question(mac: MacAddress, source: Ipv6Addr, target: Ipv6Addr) -> Self {
        let mut packet = Self::new(mac, source, solicited_node(target));
        packet.push(&[NEIGHBOR_SOLICITATION, 0, 0, 0, 0, 0, 0, 0]);
        packet.push(&target.octets());
        packet.push(&[SOURCE_LINK_LAYER_ADDRESS, 1]);
        packet.push(&mac.0);
        packet.finish()
    }

    /// Tells all that an address is taken (RFC 4861, section 7.2.4).
    pub(super) fn defence(mac: MacAddress, target: Ipv6Addr) -> Self {
        const OVERRIDE: u8 = 0x20;
        let mut packet = Self::new(mac, target, ALL_NODES);
        packet.push(&[NEIGHBOR_ADVERTISEMENT, 0, 0, 0, OVERRIDE, 0, 0, 0]);
        packet.push(&target.octets());
        packet.push(&[TARGET_LINK_LAYER_ADDRESS, 1]);
        packet.push(&mac.0);
        packet.finish()
    }

    /// Reports `count` groups, no more than there are addresses (RFC 3810, section 5.2).
    pub(super) fn report(
        mac: MacAddress,
        source: Ipv6Addr,
        record: Record,
        groups: impl Iterator<Item = Ipv6Addr>,
    ) -> Self {
        let mut packet = Self::with_router_alert(mac, source, ALL_MULTICAST_ROUTERS);
        let start = packet.length;
        packet.push(&[REPORT, 0, 0, 0, 0, 0, 0, 0]);
        for group in groups.take(MAX_ADDRESSES) {
            packet.push(&[record as u8, 0, 0, 0]);
            packet.push(&group.octets());
            packet.bytes[start + 7] += 1;
        }
        packet.finish_from(start)
    }

    /// Reports one group to those who know only the first version (RFC 2710, section 3).
    pub(super) fn report_version_1(mac: MacAddress, source: Ipv6Addr, group: Ipv6Addr) -> Self {
        let mut packet = Self::with_router_alert(mac, source, group);
        let start = packet.length;
        packet.push(&[REPORT_VERSION_1, 0, 0, 0, 0, 0, 0, 0]);
        packet.push(&group.octets());
        packet.finish_from(start)
    }

    /// Begins a packet to a group.
    fn new(mac: MacAddress, source: Ipv6Addr, destination: Ipv6Addr) -> Self {
        let mut packet = Self {
            bytes: [0; LONGEST],
            length: 0,
        };
        // RFC 2464, section 7.
        packet.push(&[0x33, 0x33]);
        packet.push(&destination.octets()[12..]);
        packet.push(&mac.0);
        packet.push(&[0x86, 0xdd]);
        packet.push(&[0x60, 0, 0, 0, 0, 0, IpProtocol::Icmpv6.into(), 255]);
        packet.push(&source.octets());
        packet.push(&destination.octets());
        packet
    }

    fn with_router_alert(mac: MacAddress, source: Ipv6Addr, destination: Ipv6Addr) -> Self {
        let mut packet = Self::new(mac, source, destination);
        packet.bytes[20..22].copy_from_slice(&[IpProtocol::HopByHop.into(), 1]);
        packet.push(&HOP_BY_HOP);
        packet
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.length..][..bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    fn finish(self) -> Self {
        self.finish_from(HEADERS)
    }

    /// Fills in length and checksum; the message begins at `start`.
    fn finish_from(mut self, start: usize) -> Self {
        let length = (self.length - HEADERS) as u16;
        self.bytes[18..20].copy_from_slice(&length.to_be_bytes());
        let (headers, message) = self.bytes[..self.length].split_at_mut(start);
        let address = |at: usize| {
            let octets: [u8; 16] = core::array::from_fn(|index| headers[at + index]);
            Ipv6Addr::from(octets)
        };
        Icmpv6Packet::new_unchecked(message).fill_checksum(&address(22), &address(38));
        self
    }
}
