//! Looks at a frame's headers to find the flow that it belongs to.

use core::hash::{Hash, Hasher};
use smoltcp::wire::{
    EthernetFrame, EthernetProtocol, IpAddress, IpEndpoint, IpProtocol, Ipv4Packet, Ipv6ExtHeader,
    Ipv6OptionRepr, Ipv6OptionsIterator, Ipv6Packet, TcpPacket, UdpPacket,
};

/// Bytes of an Ethernet header.
pub(super) const ETHERNET: usize = 14;

/// Addresses and ports that identify a TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tuple {
    // The ports come first because they tell connections apart most quickly.
    remote_port: u16,
    local_port: u16,
    remote_address: IpAddress,
    local_address: IpAddress,
}

impl Tuple {
    pub(super) fn new(local: IpEndpoint, remote: IpEndpoint) -> Self {
        Self {
            remote_port: remote.port,
            local_port: local.port,
            remote_address: remote.addr,
            local_address: local.addr,
        }
    }

    pub(super) fn local(&self) -> IpEndpoint {
        IpEndpoint::new(self.local_address, self.local_port)
    }

    pub(super) fn remote(&self) -> IpEndpoint {
        IpEndpoint::new(self.remote_address, self.remote_port)
    }
}

impl Hash for Tuple {
    // A few words; what derives would hash each byte of an address.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u32(u32::from(self.remote_port) << 16 | u32::from(self.local_port));
        for address in [self.remote_address, self.local_address] {
            match address {
                IpAddress::Ipv4(address) => state.write_u32(address.to_bits()),
                IpAddress::Ipv6(address) => state.write_u128(address.to_bits()),
            }
        }
    }
}

/// Where a frame belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// To a TCP connection. The segment is this part of the frame.
    Tcp {
        tuple: Tuple,
        start: usize,
        end: usize,
    },
    /// To the UDP socket at `local`.
    Udp { local: IpEndpoint },
    /// To the interface, and it may tell of a neighbor: ARP and ICMPv6.
    Neighbor,
    /// To the interface.
    Interface,
    /// To the interface at `destination`, which does not know what it is and would say so.
    Unknown { destination: IpAddress },
    /// Nowhere: damaged, a fragment, or something that must not be answered.
    Nowhere,
}

/// Finds out where a frame belongs. It is parsed as far as that needs.
///
/// The checksums of TCP and UDP are checked here, unless they were `verified`, and not by
/// smoltcp, which checks either those of all frames or none. Other checksums are left to it.
pub(super) fn classify(frame: &[u8], verified: bool) -> Kind {
    let Ok(ethernet) = EthernetFrame::new_checked(frame) else {
        return Kind::Nowhere;
    };
    let kind = match ethernet.ethertype() {
        EthernetProtocol::Arp => Some(Kind::Neighbor),
        EthernetProtocol::Ipv4 => ipv4(ethernet.payload(), verified),
        EthernetProtocol::Ipv6 => ipv6(ethernet.payload(), verified),
        _ => None,
    };
    kind.unwrap_or(Kind::Nowhere)
}

fn ipv4(bytes: &[u8], verified: bool) -> Option<Kind> {
    let packet = Ipv4Packet::new_checked(bytes).ok()?;
    // Fragments are not put together; smoltcp would take each one for a whole packet.
    if packet.more_frags() || packet.frag_offset() != 0 {
        return None;
    }
    if !verified && !packet.verify_checksum() {
        return None;
    }
    let (source, destination) = (packet.src_addr().into(), packet.dst_addr().into());
    match packet.next_header() {
        IpProtocol::Tcp => {
            let start = ETHERNET + usize::from(packet.header_len());
            tcp(source, destination, start, packet.payload(), verified)
        }
        IpProtocol::Udp => udp(source, destination, packet.payload(), verified),
        IpProtocol::Icmp => Some(Kind::Interface),
        _ => Some(Kind::Unknown { destination }),
    }
}

fn ipv6(bytes: &[u8], verified: bool) -> Option<Kind> {
    let packet = Ipv6Packet::new_checked(bytes).ok()?;
    let (source, destination) = (packet.src_addr().into(), packet.dst_addr().into());
    match packet.next_header() {
        IpProtocol::Tcp => {
            let start = ETHERNET + packet.header_len();
            tcp(source, destination, start, packet.payload(), verified)
        }
        IpProtocol::Udp => udp(source, destination, packet.payload(), verified),
        IpProtocol::Icmpv6 => Some(Kind::Neighbor),
        // smoltcp would look behind these options; only ICMPv6 has a use for them.
        IpProtocol::HopByHop => (packet.payload().first() == Some(&IpProtocol::Icmpv6.into()))
            .then_some(match has_known_options(packet.payload()) {
                true => Kind::Interface,
                false => Kind::Unknown { destination },
            }),
        // Nothing follows that could be unknown (RFC 8200, section 4.7).
        IpProtocol::Ipv6NoNxt => None,
        _ => Some(Kind::Unknown { destination }),
    }
}

/// Tells whether a hop-by-hop header has no options but padding and router alerts.
#[cold]
fn has_known_options(bytes: &[u8]) -> bool {
    let header = Ipv6ExtHeader::new_checked(bytes);
    header.is_ok_and(|header| {
        let mut options = Ipv6OptionsIterator::new(header.payload());
        options.all(|option| {
            use Ipv6OptionRepr::{Pad1, PadN, RouterAlert};
            matches!(option, Ok(Pad1 | PadN(_) | RouterAlert(_)))
        })
    })
}

fn tcp(
    source: IpAddress,
    destination: IpAddress,
    start: usize,
    payload: &[u8],
    verified: bool,
) -> Option<Kind> {
    let segment = TcpPacket::new_checked(payload).ok()?;
    let local = IpEndpoint::new(destination, segment.dst_port());
    let remote = IpEndpoint::new(source, segment.src_port());
    if !source.is_unicast() || local.port == 0 || remote.port == 0 {
        return None;
    }
    if !verified && !segment.verify_checksum(&source, &destination) {
        return None;
    }
    Some(Kind::Tcp {
        tuple: Tuple::new(local, remote),
        start,
        end: start + payload.len(),
    })
}

fn udp(source: IpAddress, destination: IpAddress, payload: &[u8], verified: bool) -> Option<Kind> {
    let datagram = UdpPacket::new_checked(payload).ok()?;
    let local = IpEndpoint::new(destination, datagram.dst_port());
    // A sender that cannot be answered is not heard. DHCP servers have an address.
    if !source.is_unicast() || local.port == 0 || datagram.src_port() == 0 {
        return None;
    }
    // Only over IPv4 a sender may leave the checksum out (RFC 8200, section 8.1).
    let is_missing = datagram.checksum() == 0 && matches!(source, IpAddress::Ipv6(_));
    if !verified && (is_missing || !datagram.verify_checksum(&source, &destination)) {
        return None;
    }
    Some(Kind::Udp { local })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use smoltcp::phy::ChecksumCapabilities;
    use smoltcp::wire::{IpRepr, UDP_HEADER_LEN, UdpRepr};
    use std::vec;
    use std::vec::Vec;

    /// A datagram with a right checksum.
    fn datagram(source: IpAddress, destination: IpAddress) -> Vec<u8> {
        let length = UDP_HEADER_LEN + 2;
        let header = IpRepr::new(source, destination, IpProtocol::Udp, length, 64);
        let mut frame = vec![0; ETHERNET + header.buffer_len()];
        let mut ethernet = EthernetFrame::new_unchecked(&mut frame[..]);
        ethernet.set_ethertype(match source {
            IpAddress::Ipv4(_) => EthernetProtocol::Ipv4,
            IpAddress::Ipv6(_) => EthernetProtocol::Ipv6,
        });
        let checksums = ChecksumCapabilities::default();
        header.emit(&mut *ethernet.payload_mut(), &checksums);
        let ports = UdpRepr {
            src_port: 1,
            dst_port: 2,
        };
        ports.emit(
            &mut UdpPacket::new_unchecked(&mut ethernet.payload_mut()[header.header_len()..]),
            &source,
            &destination,
            2,
            |bytes| bytes.copy_from_slice(b"hi"),
            &checksums,
        );
        frame
    }

    #[test]
    fn only_over_ipv4_a_checksum_may_be_missing() {
        for (source, destination, is_needed) in [
            (
                IpAddress::v4(10, 0, 0, 1),
                IpAddress::v4(10, 0, 0, 2),
                false,
            ),
            (
                IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 1),
                IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 2),
                true,
            ),
        ] {
            let local = IpEndpoint::new(destination, 2);
            let mut frame = datagram(source, destination);
            assert_eq!(classify(&frame, false), Kind::Udp { local });
            let checksum = frame.len() - 4..frame.len() - 2;
            frame[checksum.clone()].fill(0);
            let kind = classify(&frame, false);
            assert_eq!(kind == Kind::Nowhere, is_needed);
            assert_eq!(classify(&frame, true), Kind::Udp { local });
            frame[checksum].fill(1);
            assert_eq!(classify(&frame, false), Kind::Nowhere);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_classified(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            classify(&bytes, bytes.len() % 2 == 0);
        }

        #[test]
        fn damaged_headers_are_classified(
            kind in prop_oneof![Just([0x08, 0x00]), Just([0x86, 0xdd])],
            protocol in prop_oneof![Just(6u8), Just(17), Just(0), any::<u8>()],
            bytes in proptest::collection::vec(any::<u8>(), 0..120),
            verified: bool,
        ) {
            let mut frame = vec![0; 14];
            frame[12..].copy_from_slice(&kind);
            frame.extend(bytes);
            if frame.len() > 24 {
                frame[14] = if kind[0] == 8 { 0x45 } else { 0x60 };
                frame[if kind[0] == 8 { 23 } else { 20 }] = protocol;
            }
            classify(&frame, verified);
        }
    }
}
