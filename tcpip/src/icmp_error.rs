//! Reports of routers and hosts about segments that did not arrive: ICMP errors (RFC 792,
//! RFC 1191, RFC 4443, RFC 8201).

use super::connections::{HEADERS_IPV4, HEADERS_IPV6};
use super::engine::Engine;
use super::frame::Tuple;
use fata_tcp::Error;
use fata_tcp::Sequence;
use smoltcp::wire::{
    EthernetFrame, EthernetProtocol, Icmpv4DstUnreachable, Icmpv4Message, Icmpv4Packet,
    Icmpv6Message, Icmpv6Packet, IpAddress, IpEndpoint, IpProtocol, Ipv4Packet, Ipv6Packet,
};

/// The least that a link takes (RFC 791; Linux believes no less; RFC 8200).
const LEAST_IPV4: usize = 552;
const LEAST_IPV6: usize = 1_280;
/// Bytes of a TCP header that an error message repeats at least.
const REPEATED: usize = 8;

/// An error message about a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IcmpError {
    tuple: Tuple,
    /// The segment's sequence number.
    number: Sequence,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A link on the way takes packets with so many bytes only.
    TooLong(usize),
    Unreachable(Error),
}

impl Engine {
    /// Takes in an error message, if it is credible.
    pub(super) fn receive_icmp_error(&mut self, frame: &[u8]) {
        let Some(IcmpError {
            tuple,
            number,
            kind,
        }) = read(frame)
        else {
            return;
        };
        let Some(key) = self.table.find(&tuple) else {
            return;
        };
        let now = self.now();
        let headers = match tuple.local().addr {
            IpAddress::Ipv4(_) => HEADERS_IPV4,
            IpAddress::Ipv6(_) => HEADERS_IPV6,
        };
        let Some(flow) = self.table.flow(key) else {
            return;
        };
        // Others cannot know what is under way (RFC 5927, section 4.1).
        if !flow.connection.is_in_flight(number) {
            return;
        }
        match kind {
            Kind::TooLong(bytes) => {
                let mss = bytes.saturating_sub(headers) as u32;
                flow.connection.reduce_mss(mss, now);
            }
            Kind::Unreachable(error) => flow.connection.note_unreachable(error),
        }
        self.table.make_ready(key);
    }
}

/// The error message in a frame, if it is one about a TCP segment.
fn read(bytes: &[u8]) -> Option<IcmpError> {
    let ethernet = EthernetFrame::new_checked(bytes).ok()?;
    match ethernet.ethertype() {
        EthernetProtocol::Ipv4 => ipv4(ethernet.payload()),
        EthernetProtocol::Ipv6 => ipv6(ethernet.payload()),
        _ => None,
    }
}

fn ipv4(bytes: &[u8]) -> Option<IcmpError> {
    let packet = Ipv4Packet::new_checked(bytes).ok()?;
    if packet.next_header() != IpProtocol::Icmp {
        return None;
    }
    let message = Icmpv4Packet::new_checked(packet.payload()).ok()?;
    if message.msg_type() != Icmpv4Message::DstUnreachable || !message.verify_checksum() {
        return None;
    }
    let kind = match Icmpv4DstUnreachable::from(message.msg_code()) {
        Icmpv4DstUnreachable::FragRequired => {
            // The second half of what is unused in other messages (RFC 1191, section 4).
            let mtu = packet.payload().get(6..8)?;
            let mtu = usize::from(u16::from_be_bytes([mtu[0], mtu[1]]));
            Kind::TooLong(mtu.max(LEAST_IPV4))
        }
        Icmpv4DstUnreachable::PortUnreachable | Icmpv4DstUnreachable::ProtoUnreachable => {
            Kind::Unreachable(Error::ConnectionRefused)
        }
        _ => Kind::Unreachable(Error::Unreachable),
    };
    let inner = Ipv4Packet::new_unchecked(message.data());
    // Its payload is cut off, so its length does not fit.
    let header = usize::from(message.data().first()? & 0xf) * 4;
    let segment = message.data().get(header.max(20)..)?;
    if inner.next_header() != IpProtocol::Tcp {
        return None;
    }
    let (source, destination) = (inner.src_addr().into(), inner.dst_addr().into());
    about(source, destination, segment, kind)
}

fn ipv6(bytes: &[u8]) -> Option<IcmpError> {
    const HEADER: usize = 40;
    let packet = Ipv6Packet::new_checked(bytes).ok()?;
    if packet.next_header() != IpProtocol::Icmpv6 {
        return None;
    }
    let message = Icmpv6Packet::new_checked(packet.payload()).ok()?;
    if !message.verify_checksum(&packet.src_addr(), &packet.dst_addr()) {
        return None;
    }
    let fields = packet.payload().get(4..8)?;
    let kind = match (message.msg_type(), message.msg_code()) {
        (Icmpv6Message::PktTooBig, _) => {
            let mtu = u32::from_be_bytes([fields[0], fields[1], fields[2], fields[3]]);
            Kind::TooLong((mtu as usize).max(LEAST_IPV6))
        }
        // Port unreachable (RFC 4443, section 3.1).
        (Icmpv6Message::DstUnreachable, 4) => Kind::Unreachable(Error::ConnectionRefused),
        (Icmpv6Message::DstUnreachable, _) => Kind::Unreachable(Error::Unreachable),
        _ => return None,
    };
    let repeated = packet.payload().get(8..)?;
    let segment = repeated.get(HEADER..)?;
    let inner = Ipv6Packet::new_unchecked(repeated);
    if inner.next_header() != IpProtocol::Tcp {
        return None;
    }
    let (source, destination) = (inner.src_addr().into(), inner.dst_addr().into());
    about(source, destination, segment, kind)
}

/// A message about a segment that was sent from `source`, of which the first bytes are
/// repeated.
fn about(
    source: IpAddress,
    destination: IpAddress,
    segment: &[u8],
    kind: Kind,
) -> Option<IcmpError> {
    let [a, b, c, d, e, f, g, h] = *segment.first_chunk::<REPEATED>()?;
    let local = IpEndpoint::new(source, u16::from_be_bytes([a, b]));
    let remote = IpEndpoint::new(destination, u16::from_be_bytes([c, d]));
    Some(IcmpError {
        tuple: Tuple::new(local, remote),
        number: Sequence(u32::from_be_bytes([e, f, g, h])),
        kind,
    })
}
