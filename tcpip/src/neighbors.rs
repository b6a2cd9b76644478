//! Which hardware address belongs to a neighbor's address: ARP (RFC 826) and neighbor
//! discovery (RFC 4861), as far as connections need them that are opened from here.
//!
//! Questions of peers are answered elsewhere; here is only learned from them, too.

use super::arp::{self, Message};
use super::frame;
use super::ipv6::solicited_node;
use alloc::collections::VecDeque;
use core::time::Duration;
use fata_time::Instant;
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, Icmpv6Message, Icmpv6Packet, Icmpv6Repr,
    IpAddress, Ipv6Address, Ipv6Packet, Ipv6Repr, NdiscRepr, RawHardwareAddress,
};

/// Neighbors that are remembered. One that has not answered makes room for another,
/// or the one that was learned first.
const MOST: usize = 256;
/// A neighbor is asked for that often.
const PAUSE: Duration = Duration::from_secs(1);
/// So long a neighbor is believed to be where it was, unless that is doubted (REACHABLE_TIME of
/// RFC 4861, section 10). After that it is asked for again, but used meanwhile.
const FRESH: Duration = Duration::from_secs(30);

struct Neighbor {
    address: IpAddress,
    hardware: Option<EthernetAddress>,
    learned: Instant,
    asked: Option<Instant>,
}

/// Neighbors that are known or asked for.
#[derive(Default)]
pub(super) struct Neighbors(VecDeque<Neighbor>);

impl Neighbors {
    /// The hardware address of a neighbor, and whether it is to be asked for now. An address
    /// that was learned a while ago may be `doubted`.
    pub(super) fn find(
        &mut self,
        address: IpAddress,
        doubted: bool,
        now: Instant,
    ) -> (Option<EthernetAddress>, bool) {
        if let Some(index) = self.index(address) {
            let neighbor = &mut self.0[index];
            let age = if doubted { PAUSE } else { FRESH };
            let is_fresh = neighbor.hardware.is_some() && now - neighbor.learned < age;
            let asks = !is_fresh && neighbor.asked.is_none_or(|asked| now - asked >= PAUSE);
            if asks {
                neighbor.asked = Some(now);
            }
            return (neighbor.hardware, asks);
        }
        self.insert(Neighbor {
            address,
            hardware: None,
            learned: now,
            asked: Some(now),
        });
        (None, true)
    }

    /// The hardware address of a neighbor, if that is known already.
    pub(super) fn known(&self, address: IpAddress) -> Option<EthernetAddress> {
        self.0[self.index(address)?].hardware
    }

    /// Takes in what a frame says of its sender. Returns whether that is new. Others than
    /// those that were asked for are remembered only if they ask for one of the `own`
    /// addresses.
    pub(super) fn learn(
        &mut self,
        frame: &[u8],
        is_own: impl Fn(IpAddress) -> bool,
        now: Instant,
    ) -> bool {
        let Some((address, hardware, asks_for)) = read(frame) else {
            return false;
        };
        if !hardware.is_unicast() || !address.is_unicast() {
            return false;
        }
        if let Some(index) = self.index(address) {
            let neighbor = &mut self.0[index];
            neighbor.learned = now;
            neighbor.asked = None;
            return neighbor.hardware.replace(hardware) != Some(hardware);
        }
        if asks_for.is_some_and(is_own) {
            self.insert(Neighbor {
                address,
                hardware: Some(hardware),
                learned: now,
                asked: None,
            });
        }
        false
    }

    fn index(&self, address: IpAddress) -> Option<usize> {
        self.0
            .iter()
            .position(|neighbor| neighbor.address == address)
    }

    fn insert(&mut self, neighbor: Neighbor) {
        if self.0.len() >= MOST {
            let unknown = self.0.iter().position(|other| other.hardware.is_none());
            self.0.remove(unknown.unwrap_or(0));
        }
        self.0.push_back(neighbor);
    }
}

/// Who sent a frame of neighbor discovery, and whose address it asks for.
fn read(bytes: &[u8]) -> Option<(IpAddress, EthernetAddress, Option<IpAddress>)> {
    let ethernet = EthernetFrame::new_checked(bytes).ok()?;
    match ethernet.ethertype() {
        EthernetProtocol::Arp => {
            let message = Message::read(bytes)?;
            let (hardware, address) = message.source;
            Some((
                address.into(),
                hardware,
                message.asks_for().map(IpAddress::from),
            ))
        }
        EthernetProtocol::Ipv6 => {
            let packet = Ipv6Packet::new_checked(ethernet.payload()).ok()?;
            let message = Icmpv6Packet::new_checked(packet.payload()).ok()?;
            // Others than neighbors cannot have sent it (RFC 4861, section 7.1).
            let kind = message.msg_type();
            let is_discovery = matches!(
                kind,
                Icmpv6Message::NeighborSolicit | Icmpv6Message::NeighborAdvert
            );
            if packet.hop_limit() != 255 || !is_discovery {
                return None;
            }
            let addresses = (packet.src_addr(), packet.dst_addr());
            if !message.verify_checksum(&addresses.0, &addresses.1) {
                return None;
            }
            match NdiscRepr::parse(&message).ok()? {
                NdiscRepr::NeighborSolicit {
                    target_addr,
                    lladdr: Some(hardware),
                } => {
                    let source = packet.src_addr().into();
                    Some((
                        source,
                        ethernet_address(&hardware)?,
                        Some(target_addr.into()),
                    ))
                }
                NdiscRepr::NeighborAdvert {
                    target_addr,
                    lladdr: Some(hardware),
                    ..
                } => Some((target_addr.into(), ethernet_address(&hardware)?, None)),
                _ => None,
            }
        }
        _ => None,
    }
}

fn ethernet_address(address: &RawHardwareAddress) -> Option<EthernetAddress> {
    let bytes = address.as_bytes().first_chunk()?;
    Some(EthernetAddress(*bytes))
}

/// A question for a neighbor's hardware address.
pub(super) struct Question {
    pub(super) hardware: EthernetAddress,
    pub(super) source: IpAddress,
    pub(super) target: IpAddress,
}

impl Question {
    /// Bytes of the frame.
    pub(super) fn len(&self) -> usize {
        match self.target {
            IpAddress::Ipv4(_) => arp::LENGTH,
            // A solicitation with one option.
            IpAddress::Ipv6(_) => frame::ETHERNET + 40 + 32,
        }
    }

    /// Writes the frame.
    pub(super) fn emit(&self, bytes: &mut [u8]) {
        match (self.source, self.target) {
            (IpAddress::Ipv4(source), IpAddress::Ipv4(target)) => {
                let request = Message::request((self.hardware, source), target);
                request.emit(EthernetAddress::BROADCAST, bytes);
            }
            (IpAddress::Ipv6(source), IpAddress::Ipv6(target)) => {
                let group = solicited_node(target);
                let [.., a, b, c, d] = group.octets();
                let mut ethernet = EthernetFrame::new_unchecked(bytes);
                ethernet.set_src_addr(self.hardware);
                ethernet.set_dst_addr(EthernetAddress([0x33, 0x33, a, b, c, d]));
                ethernet.set_ethertype(EthernetProtocol::Ipv6);
                self.emit_solicitation(source, target, group, ethernet.payload_mut());
            }
            _ => {}
        }
    }

    fn emit_solicitation(
        &self,
        source: Ipv6Address,
        target: Ipv6Address,
        group: Ipv6Address,
        bytes: &mut [u8],
    ) {
        let message = Icmpv6Repr::Ndisc(NdiscRepr::NeighborSolicit {
            target_addr: target,
            lladdr: Some(self.hardware.into()),
        });
        let header = Ipv6Repr {
            src_addr: source,
            dst_addr: group,
            next_header: smoltcp::wire::IpProtocol::Icmpv6,
            payload_len: message.buffer_len(),
            hop_limit: 255,
        };
        let mut packet = Ipv6Packet::new_unchecked(bytes);
        header.emit(&mut packet);
        let mut icmp = Icmpv6Packet::new_unchecked(packet.payload_mut());
        let checksums = smoltcp::phy::ChecksumCapabilities::default();
        message.emit(&source, &group, &mut icmp, &checksums);
    }
}
