//! TCP segments as frames, written where the device takes them.

use super::frame::{ETHERNET, Tuple};
use super::phy::Transmitter;
use core::num::NonZeroU16;
use fata_net::ethernet::LARGEST_PACKET;
use fata_net::{Net, Offload, Offloads, PartialChecksum};
use fata_tcp::{Header, Transmit};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, IPV4_HEADER_LEN, IPV6_HEADER_LEN, IpAddress,
    IpProtocol, Ipv4Packet, Ipv4Repr, Ipv6Packet, Ipv6Repr, TcpPacket,
};

const HOP_LIMIT: u8 = 64;
/// Where TCP's checksum is in its header (RFC 9293, section 3.1).
const CHECKSUM_OFFSET: u16 = 16;
/// Bytes of a TCP header without options, which those with data are.
const TCP_HEADER: usize = 20;

/// The way to a peer.
pub(super) struct Wire<'a, N: Net> {
    pub(super) transmitter: &'a mut Transmitter<N>,
    pub(super) path: Path,
}

/// The two ends of a way.
#[derive(Clone, Copy)]
pub(super) struct Path {
    pub(super) source: EthernetAddress,
    pub(super) destination: EthernetAddress,
    pub(super) tuple: Tuple,
}

impl Path {
    fn is_ipv6(&self) -> bool {
        matches!(self.tuple.local().addr, IpAddress::Ipv6(_))
    }

    /// Bytes before the TCP header.
    fn start(&self) -> usize {
        ETHERNET
            + if self.is_ipv6() {
                IPV6_HEADER_LEN
            } else {
                IPV4_HEADER_LEN
            }
    }

    /// Writes everything before the TCP header.
    fn write_headers(&self, frame: &mut [u8]) {
        let mut ethernet = EthernetFrame::new_unchecked(frame);
        ethernet.set_src_addr(self.source);
        ethernet.set_dst_addr(self.destination);
        let payload_len = ethernet.payload_mut().len();
        match (self.tuple.local().addr, self.tuple.remote().addr) {
            (IpAddress::Ipv4(src_addr), IpAddress::Ipv4(dst_addr)) => {
                ethernet.set_ethertype(EthernetProtocol::Ipv4);
                let header = Ipv4Repr {
                    src_addr,
                    dst_addr,
                    next_header: IpProtocol::Tcp,
                    payload_len: payload_len - IPV4_HEADER_LEN,
                    hop_limit: HOP_LIMIT,
                };
                let mut packet = Ipv4Packet::new_unchecked(ethernet.payload_mut());
                header.emit(&mut packet, &ChecksumCapabilities::default());
            }
            (IpAddress::Ipv6(src_addr), IpAddress::Ipv6(dst_addr)) => {
                ethernet.set_ethertype(EthernetProtocol::Ipv6);
                let header = Ipv6Repr {
                    src_addr,
                    dst_addr,
                    next_header: IpProtocol::Tcp,
                    payload_len: payload_len - IPV6_HEADER_LEN,
                    hop_limit: HOP_LIMIT,
                };
                header.emit(&mut Ipv6Packet::new_unchecked(ethernet.payload_mut()));
            }
            // The two ends of a connection have one family.
            _ => {}
        }
    }

    /// Completes the checksum, or leaves that to the device.
    fn finish(self, segment: &mut [u8], headers: usize, size: u32, offloads: Offloads) -> Offload {
        let (local, remote) = (self.tuple.local().addr, self.tuple.remote().addr);
        let length = segment.len();
        let start = self.start();
        let mut packet = TcpPacket::new_unchecked(segment);
        if !offloads.checksum {
            packet.fill_checksum(&local, &remote);
            return Offload::None;
        }
        packet.set_checksum(pseudo_header_sum(local, remote, length));
        let checksum = PartialChecksum {
            // Headers end within the first 200 bytes.
            start: start as u16,
            offset: CHECKSUM_OFFSET,
        };
        let is_long = length - headers > size as usize;
        match u16::try_from(size)
            .ok()
            .and_then(NonZeroU16::new)
            .filter(|_| is_long)
        {
            Some(size) => Offload::Segments {
                checksum,
                ipv6: self.is_ipv6(),
                headers: (start + headers) as u16,
                size,
            },
            None => Offload::Checksum(checksum),
        }
    }
}

impl<N: Net> Transmit for Wire<'_, N> {
    fn max_payload(&self, mss: u32) -> u32 {
        let offloads = self.transmitter.offloads;
        let cuts = if self.path.is_ipv6() {
            offloads.tcp_ipv6
        } else {
            offloads.tcp_ipv4
        };
        if !cuts || !offloads.checksum {
            return mss;
        }
        // A packet that fits the length field of IPv4 fits IPv6's, too.
        let most = (LARGEST_PACKET - IPV6_HEADER_LEN - TCP_HEADER) as u32;
        (most / mss).max(1) * mss
    }

    fn send(&mut self, header: &Header, payload: (&[u8], &[u8]), size: u32) -> bool {
        let path = self.path;
        let start = path.start();
        let data = start + header.length();
        let length = data + payload.0.len() + payload.1.len();
        if !self.transmitter.can_transmit() {
            return false;
        }
        let offloads = self.transmitter.offloads;
        // A frame that is refused is lost, as on the wire.
        let _ = self.transmitter.transmit_offloaded(length, |frame| {
            path.write_headers(frame);
            let segment = &mut frame[start..];
            let ports = (path.tuple.local().port, path.tuple.remote().port);
            header.encode(ports.0, ports.1, &mut segment[..data - start]);
            segment[data - start..][..payload.0.len()].copy_from_slice(payload.0);
            segment[data - start + payload.0.len()..].copy_from_slice(payload.1);
            ((), path.finish(segment, data - start, size, offloads))
        });
        true
    }
}

/// The sum over both addresses, the protocol and the length (RFC 9293, section 3.1), not
/// inverted.
fn pseudo_header_sum(local: IpAddress, remote: IpAddress, length: usize) -> u16 {
    let sum = address_sum(local) + address_sum(remote);
    let sum = sum + u32::from(u8::from(IpProtocol::Tcp)) + length as u32;
    let folded = (sum & 0xffff) + (sum >> 16);
    (folded + (folded >> 16)) as u16
}

fn address_sum(address: IpAddress) -> u32 {
    match address {
        IpAddress::Ipv4(address) => (address.to_bits() >> 16) + (address.to_bits() & 0xffff),
        IpAddress::Ipv6(address) => address.segments().iter().copied().map(u32::from).sum(),
    }
}
