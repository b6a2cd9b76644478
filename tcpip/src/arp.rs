//! ARP (RFC 826): its messages, and what smoltcp leaves undone, which answers and remembers
//! senders in the own network. Here others are answered, the address is announced, and another
//! host that has it, too, is noticed (RFC 5227).

use super::frame::ETHERNET;
use super::phy::Transmitter;
use core::net::Ipv4Addr;
use fata_net::Net;
use fata_time::Instant;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol,
};

/// Bytes of a frame.
pub(super) const LENGTH: usize = ETHERNET + 28;
/// ARP state of the interface's IPv4 address.
#[derive(Default)]
pub(super) struct Arp {
    /// True while the address is still to be announced.
    pub(super) announces: bool,
    /// When it was last logged that another host has the address.
    pub(super) complained: Option<Instant>,
}

/// A message, with the hardware address and the IPv4 address of its sender and of its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) operation: ArpOperation,
    pub(super) source: (EthernetAddress, Ipv4Addr),
    pub(super) target: (EthernetAddress, Ipv4Addr),
}

impl Message {
    /// A question for the hardware address of `target`.
    pub(super) fn request(source: (EthernetAddress, Ipv4Addr), target: Ipv4Addr) -> Self {
        Self {
            operation: ArpOperation::Request,
            source,
            target: (EthernetAddress([0; 6]), target),
        }
    }

    /// The message in a frame, if it is one of ARP.
    pub(super) fn read(frame: &[u8]) -> Option<Self> {
        let ethernet = EthernetFrame::new_checked(frame).ok()?;
        if ethernet.ethertype() != EthernetProtocol::Arp {
            return None;
        }
        let packet = ArpPacket::new_checked(ethernet.payload()).ok()?;
        let ArpRepr::EthernetIpv4 {
            operation,
            source_hardware_addr,
            source_protocol_addr,
            target_hardware_addr,
            target_protocol_addr,
        } = ArpRepr::parse(&packet).ok()?
        else {
            return None;
        };
        Some(Self {
            operation,
            source: (source_hardware_addr, source_protocol_addr),
            target: (target_hardware_addr, target_protocol_addr),
        })
    }

    /// The address that it asks for, if it is a question.
    pub(super) fn asks_for(&self) -> Option<Ipv4Addr> {
        (self.operation == ArpOperation::Request).then_some(self.target.1)
    }

    /// Writes a frame of [`LENGTH`] bytes.
    pub(super) fn emit(&self, destination: EthernetAddress, bytes: &mut [u8]) {
        let mut ethernet = EthernetFrame::new_unchecked(bytes);
        ethernet.set_src_addr(self.source.0);
        ethernet.set_dst_addr(destination);
        ethernet.set_ethertype(EthernetProtocol::Arp);
        let message = ArpRepr::EthernetIpv4 {
            operation: self.operation,
            source_hardware_addr: self.source.0,
            source_protocol_addr: self.source.1,
            target_hardware_addr: self.target.0,
            target_protocol_addr: self.target.1,
        };
        message.emit(&mut ArpPacket::new_unchecked(ethernet.payload_mut()));
    }
}

/// Asks who has an address that this host does not use yet (RFC 5227, section 2.1.1).
pub(super) fn probe<N: Net>(
    transmitter: &mut Transmitter<N>,
    own: EthernetAddress,
    address: Ipv4Addr,
) {
    let question = Message::request((own, Ipv4Addr::UNSPECIFIED), address);
    send(transmitter, &question, EthernetAddress::BROADCAST);
}

pub(super) fn send<N: Net>(
    transmitter: &mut Transmitter<N>,
    message: &Message,
    destination: EthernetAddress,
) {
    // A lost message is asked for again.
    let _ = transmitter.transmit(LENGTH, |frame| message.emit(destination, frame));
}
