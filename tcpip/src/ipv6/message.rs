//! Messages of ICMPv6 that concern the interface's addresses, and what makes them valid.

use super::advertisement::Advertisement;
use super::options::Options;
use core::net::Ipv6Addr;
use core::time::Duration;
use fata_net::MacAddress;
use smoltcp::wire::{EthernetFrame, EthernetProtocol, Icmpv6Packet, IpProtocol, Ipv6Packet};

/// Types of messages.
pub(super) const QUERY: u8 = 130;
pub(super) const REPORT_VERSION_1: u8 = 131;
pub(super) const ROUTER_SOLICITATION: u8 = 133;
pub(super) const ROUTER_ADVERTISEMENT: u8 = 134;
pub(super) const NEIGHBOR_SOLICITATION: u8 = 135;
pub(super) const NEIGHBOR_ADVERTISEMENT: u8 = 136;
pub(super) const REPORT: u8 = 143;

/// Types of options.
pub(super) const SOURCE_LINK_LAYER_ADDRESS: u8 = 1;
pub(super) const TARGET_LINK_LAYER_ADDRESS: u8 = 2;
/// RFC 3971, section 5.3.2.
pub(super) const NONCE: u8 = 14;
/// Tells a question of this host from those of others.
pub(super) type Nonce = [u8; 6];

/// A valid message that was received.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    pub(super) source: Ipv6Addr,
    pub(super) destination: Ipv6Addr,
    pub(super) content: Content<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Content<'a> {
    RouterAdvertisement(Advertisement<'a>),
    NeighborSolicitation {
        target: Ipv6Addr,
        nonce: Option<&'a [u8]>,
    },
    NeighborAdvertisement {
        target: Ipv6Addr,
    },
    Query(Query),
}

/// A question for members of multicast groups (RFC 3810, section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) version: Version,
    /// One group, or all if unspecified.
    pub(super) group: Ipv6Addr,
    /// The answer is to be given within this time.
    pub(super) delay: Duration,
}

/// A version of multicast listener discovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

/// Reads a frame for `mac`, if it holds such a message and that is valid.
pub(super) fn parse(frame: &[u8], mac: MacAddress) -> Option<Message<'_>> {
    let ethernet = EthernetFrame::new_checked(frame).ok()?;
    let is_ours = ethernet.dst_addr().is_multicast() || ethernet.dst_addr().0 == mac.0;
    if ethernet.ethertype() != EthernetProtocol::Ipv6 || !is_ours {
        return None;
    }
    let packet = Ipv6Packet::new_checked(ethernet.payload()).ok()?;
    let (source, destination) = (packet.src_addr(), packet.dst_addr());
    let (bytes, hop_limit) = match packet.next_header() {
        IpProtocol::Icmpv6 => (packet.payload(), 255),
        IpProtocol::HopByHop => (behind_router_alert(packet.payload())?, 1),
        _ => return None,
    };
    // Neighbors' messages were not forwarded (RFC 4861, section 11.2). Queries have a router
    // alert (RFC 3810, section 5.1.14), nothing else here has one.
    let kind = *bytes.first()?;
    let is_near = packet.hop_limit() == hop_limit && (kind == QUERY) == (hop_limit == 1);
    if !is_near || !matches!(kind, QUERY | ROUTER_ADVERTISEMENT..=NEIGHBOR_ADVERTISEMENT) {
        return None;
    }
    let is_whole = bytes.len() >= 16 && bytes[1] == 0;
    if !is_whole || !Icmpv6Packet::new_unchecked(bytes).verify_checksum(&source, &destination) {
        return None;
    }
    let from_router = source.is_unicast_link_local();
    let content = match kind {
        QUERY => Content::Query(query(bytes).filter(|_| from_router)?),
        ROUTER_ADVERTISEMENT => {
            Content::RouterAdvertisement(Advertisement::parse(bytes).filter(|_| from_router)?)
        }
        NEIGHBOR_SOLICITATION => solicitation(bytes, source, destination)?,
        _ => neighbor(bytes, destination)?,
    };
    Some(Message {
        source,
        destination,
        content,
    })
}

/// The bytes behind a hop-by-hop header, if they are ICMPv6 and it has a router alert for
/// multicast listener discovery (RFC 2711).
fn behind_router_alert(bytes: &[u8]) -> Option<&[u8]> {
    let length = (usize::from(*bytes.get(1)?) + 1) * 8;
    let (header, rest) = bytes.split_at_checked(length)?;
    let mut options = &header[2..];
    while let [kind, others @ ..] = options {
        if matches!(options, [5, 2, 0, 0, ..]) {
            return (header[0] == u8::from(IpProtocol::Icmpv6)).then_some(rest);
        }
        options = match kind {
            0 => others,
            _ => others.get(1 + usize::from(*others.first()?)..)?,
        };
    }
    None
}

/// RFC 4861, section 7.1.1.
fn solicitation(bytes: &[u8], source: Ipv6Addr, destination: Ipv6Addr) -> Option<Content<'_>> {
    let (target, options) = target(bytes)?;
    let has = |kind| options.iter().any(|(other, _)| other == kind);
    let is_probe = source.is_unspecified();
    if is_probe && (destination != solicited_node(target) || has(SOURCE_LINK_LAYER_ADDRESS)) {
        return None;
    }
    let nonce = options.iter().find(|(kind, _)| *kind == NONCE);
    Some(Content::NeighborSolicitation {
        target,
        nonce: nonce.map(|(_, nonce)| nonce),
    })
}

/// RFC 4861, section 7.1.2.
fn neighbor(bytes: &[u8], destination: Ipv6Addr) -> Option<Content<'_>> {
    const SOLICITED: u8 = 0x40;
    let (target, _) = target(bytes)?;
    let is_solicited = bytes[4] & SOLICITED != 0;
    (!(is_solicited && destination.is_multicast()))
        .then_some(Content::NeighborAdvertisement { target })
}

/// The address that a neighbor's message is about, and its options.
fn target(bytes: &[u8]) -> Option<(Ipv6Addr, Options<'_>)> {
    let (header, options) = bytes.split_at_checked(24)?;
    let target = Ipv6Addr::from(*header.last_chunk::<16>()?);
    (!target.is_multicast()).then_some((target, Options::new(options)?))
}

/// RFC 3810, sections 5.1.3 and 8.1.
fn query(bytes: &[u8]) -> Option<Query> {
    let version = match bytes.len() {
        24 => Version::One,
        28.. => Version::Two,
        _ => return None,
    };
    let code = u32::from(u16::from_be_bytes([bytes[4], bytes[5]]));
    let milliseconds = match version {
        Version::Two if code >= 0x8000 => (code & 0xfff | 0x1000) << ((code >> 12 & 7) + 3),
        _ => code,
    };
    Some(Query {
        version,
        group: Ipv6Addr::from(*bytes[8..].first_chunk()?),
        delay: Duration::from_millis(milliseconds.into()),
    })
}

/// The group of those who have an address like this one (RFC 4291, section 2.7.1).
pub(in super::super) fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b] = address.segments();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | a & 0xff, b)
}
