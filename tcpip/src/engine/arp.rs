//! Frames of ARP are taken in, and the address is announced.

use super::Engine;
use crate::arp::{Message, send};
use crate::phy::Transmitter;
use core::net::Ipv4Addr;
use core::time::Duration;
use fata_net::{MacAddress, Net};
use fata_time::Instant;
use smoltcp::wire::{ArpOperation, EthernetAddress};

/// The least time between two complaints, as others decide how often there is a reason.
const COMPLAINT_PAUSE: Duration = Duration::from_secs(60);

impl Engine {
    /// Takes in a frame of ARP, or any other, in which there is nothing for it. Returns
    /// whether it can be believed.
    pub(crate) fn receive_arp<N: Net>(
        &mut self,
        transmitter: &mut Transmitter<N>,
        frame: &[u8],
        now: Instant,
    ) -> bool {
        let Some(message) = Message::read(frame) else {
            return true;
        };
        let (hardware, address) = message.source;
        let is_other = hardware != self.hardware;
        if is_other && self.note_conflict(address, now) {
            return false;
        }
        if is_other && self.interface.has_ip_addr(address) {
            self.complain(hardware, address, now);
            return false;
        }
        let asked = message.asks_for();
        let asked = asked.filter(|asked| self.interface.has_ip_addr(*asked));
        if let Some(own) = asked
            && hardware.is_unicast()
            && self.is_stranger(address)
        {
            let answer = Message {
                operation: ArpOperation::Reply,
                source: (self.hardware, own),
                target: message.source,
            };
            send(transmitter, &answer, hardware);
        }
        true
    }

    /// Tells whether smoltcp leaves a sender with this address without an answer: a router outside
    /// of the network, as some clouds have it, or a host without an address that probes whether
    /// ours is free.
    fn is_stranger(&self, address: Ipv4Addr) -> bool {
        let mut networks = self.interface.ip_addrs().iter();
        let is_near = networks.any(|own| own.contains_addr(&address.into()));
        address.is_unspecified() || !(is_near || address.is_multicast() || address.is_broadcast())
    }

    fn complain(&mut self, hardware: EthernetAddress, address: Ipv4Addr, now: Instant) {
        let last = self.arp.complained;
        if last.is_some_and(|last| now - last < COMPLAINT_PAUSE) {
            return;
        }
        self.arp.complained = Some(now);
        log::error!(
            target: "net",
            "the host with the MAC address {} has this one's address {address}, too; give each \
             host another one",
            MacAddress(hardware.0)
        );
    }

    /// Tells neighbors of a new address, so that they forget who had it before (RFC 5227,
    /// section 2.3), as soon as the device has room.
    pub(crate) fn announce<N: Net>(&mut self, transmitter: &mut Transmitter<N>) {
        if !self.arp.announces || !transmitter.can_transmit() {
            return;
        }
        self.arp.announces = false;
        if let Some(own) = self.interface.ipv4_addr() {
            let announcement = Message::request((self.hardware, own), own);
            send(transmitter, &announcement, EthernetAddress::BROADCAST);
        }
    }
}
