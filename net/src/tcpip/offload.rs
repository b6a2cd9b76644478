//! What is left to the device of a frame that smoltcp has written.

use crate::{Offload, Offloads, PartialChecksum};
use core::num::NonZeroU16;
use smoltcp::wire::{
    EthernetFrame, EthernetProtocol, IpProtocol, Ipv4Packet, Ipv6Packet, TcpPacket,
};

/// Where TCP's checksum is in its header (RFC 9293, section 3.1).
const CHECKSUM_OFFSET: u16 = 16;

/// Puts the pseudo-header's sum where a device that can is to complete TCP's checksum, which
/// smoltcp leaves out then. `size` is the payload of the pieces if the frame is to be cut.
pub(super) fn prepare(frame: &mut [u8], offloads: Offloads, size: Option<NonZeroU16>) -> Offload {
    if !offloads.checksum {
        return Offload::None;
    }
    let Some(tcp) = find_tcp(frame) else {
        return Offload::None;
    };
    let sum = pseudo_header_sum(&frame[tcp.addresses..tcp.start], frame.len() - tcp.start);
    let mut segment = TcpPacket::new_unchecked(&mut frame[tcp.start..]);
    segment.set_checksum(sum);
    // Headers end within the first 200 bytes.
    let headers = (tcp.start + usize::from(segment.header_len())) as u16;
    let checksum = PartialChecksum {
        start: tcp.start as u16,
        offset: CHECKSUM_OFFSET,
    };
    match size {
        None => Offload::Checksum(checksum),
        Some(size) => Offload::Segments {
            checksum,
            ipv6: tcp.ipv6,
            headers,
            size,
        },
    }
}

/// A TCP segment in a frame. The addresses are right before it, as smoltcp writes no options.
struct Tcp {
    addresses: usize,
    start: usize,
    ipv6: bool,
}

fn find_tcp(frame: &[u8]) -> Option<Tcp> {
    const ETHERNET: usize = 14;
    let ethernet = EthernetFrame::new_unchecked(frame);
    let (ipv6, protocol) = match ethernet.ethertype() {
        EthernetProtocol::Ipv4 => (
            false,
            Ipv4Packet::new_unchecked(ethernet.payload()).next_header(),
        ),
        EthernetProtocol::Ipv6 => (
            true,
            Ipv6Packet::new_unchecked(ethernet.payload()).next_header(),
        ),
        _ => return None,
    };
    let (header, addresses) = if ipv6 { (40, 32) } else { (20, 8) };
    (protocol == IpProtocol::Tcp).then_some(Tcp {
        addresses: ETHERNET + header - addresses,
        start: ETHERNET + header,
        ipv6,
    })
}

/// The sum over both addresses, the protocol and the length (RFC 9293, section 3.1), not
/// inverted.
fn pseudo_header_sum(addresses: &[u8], length: usize) -> u16 {
    let words = addresses.as_chunks().0.iter();
    let sum: u32 = words.map(|word| u32::from(u16::from_be_bytes(*word))).sum();
    let sum = sum + u32::from(u8::from(IpProtocol::Tcp)) + length as u32;
    let folded = (sum & 0xffff) + (sum >> 16);
    (folded + (folded >> 16)) as u16
}
