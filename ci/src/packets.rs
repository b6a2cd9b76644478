use crate::lab::GUEST_IPV4;
use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, SendFlags, SocketType, ipproto, sendto, socket};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

/// Sends IPv4 packets to the guest that no well-behaved host would send.
pub struct RawSender {
    socket: OwnedFd,
}

impl RawSender {
    /// Opens a raw socket in the lab of the calling thread.
    ///
    /// # Panics
    /// Without the privileges for it.
    pub fn open() -> Self {
        let socket = socket(AddressFamily::INET, SocketType::RAW, Some(ipproto::RAW))
            .expect("cannot open a raw socket");
        Self { socket }
    }

    /// Sends the first segment of a connection from an address and port of anybody's.
    ///
    /// # Errors
    /// If the tap does not take it, as when its queue is full.
    pub fn syn(&self, source: SocketAddrV4, port: u16, sequence: u32) -> io::Result<()> {
        let mut segment = Vec::with_capacity(20);
        segment.extend(source.port().to_be_bytes());
        segment.extend(port.to_be_bytes());
        segment.extend(sequence.to_be_bytes());
        segment.extend([0; 4]);
        // Five words of header, SYN, a window of 64,240 bytes, no urgent data.
        segment.extend([0x50, 0x02, 0xfa, 0xf0, 0, 0, 0, 0]);
        let sum = tcp_checksum(*source.ip(), GUEST_IPV4, &segment);
        segment[16..18].copy_from_slice(&sum.to_be_bytes());
        self.send(*source.ip(), TCP, &segment)
    }

    /// Sends an IPv4 packet with any payload.
    ///
    /// # Errors
    /// If the tap does not take it, as when its queue is full.
    pub fn send(&self, source: Ipv4Addr, protocol: u8, payload: &[u8]) -> io::Result<()> {
        let length = u16::try_from(20 + payload.len()).expect("a payload of less than 64 KiB");
        let mut packet = vec![0x45, 0];
        packet.extend(length.to_be_bytes());
        // The kernel fills in identification and header checksum.
        packet.extend([0, 0, 0, 0, 64, protocol, 0, 0]);
        packet.extend(source.octets());
        packet.extend(GUEST_IPV4.octets());
        packet.extend(payload);
        let destination = SocketAddrV4::new(GUEST_IPV4, 0);
        sendto(&self.socket, &packet, SendFlags::empty(), &destination)?;
        Ok(())
    }
}

const TCP: u8 = 6;

/// RFC 9293, section 3.1: over a pseudo-header and the segment, whose own field is zero.
fn tcp_checksum(source: Ipv4Addr, destination: Ipv4Addr, segment: &[u8]) -> u16 {
    let length = u16::try_from(segment.len()).expect("a segment of less than 64 KiB");
    let mut bytes = [source.octets(), destination.octets()].concat();
    bytes.extend([0, TCP]);
    bytes.extend(length.to_be_bytes());
    bytes.extend(segment);
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |&low| low.into()))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::tcp_checksum;
    use std::net::Ipv4Addr;

    #[test]
    fn the_checksum_of_a_checked_segment_is_zero() {
        let (source, destination) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2));
        let mut segment = *b"0123456789abcdef\0\0hij";
        let sum = tcp_checksum(source, destination, &segment);
        segment[16..18].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(tcp_checksum(source, destination, &segment), 0);
        assert_ne!(sum, 0);
    }
}
