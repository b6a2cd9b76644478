//! Sends datagrams. Those to a neighbor that is still asked for do not hold up the others.

use super::engine::Engine;
use super::flow::Flow;
use super::frame::ETHERNET;
use super::outbox::{Ends, Outbox};
use super::phy::Transmitter;
use crate::Net;
use core::time::Duration;
use fata_time::Instant;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, IpAddress, IpCidr, IpProtocol, IpRepr,
    UDP_HEADER_LEN, UdpPacket, UdpRepr,
};

/// Datagrams wait that long for a neighbor's hardware address, then they are dropped.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// Routers that a datagram may pass.
const HOP_LIMIT: u8 = 64;

/// What is known of the way that a datagram is to go.
enum Way {
    Known(EthernetAddress),
    Asked,
    None,
}

impl Engine {
    fn outbox(&mut self, key: usize) -> Option<&mut Outbox> {
        self.flows.get(key).and_then(Flow::outbox)
    }

    /// Sends what a UDP socket has to send. Returns whether the device had room for all of it.
    pub(super) fn transmit_datagrams<N: Net>(
        &mut self,
        transmitter: &mut Transmitter<N>,
        key: usize,
        now: Instant,
    ) -> bool {
        if !self.transmit_held(transmitter, key, now) {
            return false;
        }
        while let Some((ends, _)) = self.outbox(key).and_then(Outbox::first) {
            if !transmitter.device.can_transmit() {
                return false;
            }
            let way = self.way(transmitter, key, ends, now);
            let source = self.hardware;
            let Some(outbox) = self.outbox(key) else {
                return true;
            };
            match way {
                Way::Known(hardware) => {
                    if let Some((ends, payload)) = outbox.first() {
                        send(transmitter, (source, hardware), ends, payload);
                    }
                    outbox.pop();
                }
                Way::Asked => outbox.hold(now + PATIENCE),
                Way::None => {
                    outbox.pop();
                    self.totals.unreachable += 1;
                }
            }
        }
        self.wait_for_neighbors(key);
        true
    }

    /// Sends those datagrams whose neighbor has been found meanwhile, and drops those that
    /// have waited for too long.
    fn transmit_held<N: Net>(
        &mut self,
        transmitter: &mut Transmitter<N>,
        key: usize,
        now: Instant,
    ) -> bool {
        let count = self.outbox(key).map_or(0, |outbox| outbox.held().len());
        for _ in 0..count {
            if !transmitter.device.can_transmit() {
                return false;
            }
            let Some(held) = self
                .outbox(key)
                .and_then(|outbox| outbox.held().pop_front())
            else {
                return true;
            };
            let way = self.way(transmitter, key, held.ends, now);
            if let Way::Known(hardware) = way {
                send(
                    transmitter,
                    (self.hardware, hardware),
                    held.ends,
                    &held.payload,
                );
            } else if held.until <= now {
                self.totals.unreachable += 1;
            } else if let Some(outbox) = self.outbox(key) {
                outbox.held().push_back(held);
            }
        }
        true
    }

    /// Sees to it that datagrams that were put aside are looked at again.
    fn wait_for_neighbors(&mut self, key: usize) {
        let held = self.outbox(key).map(Outbox::held);
        if let Some(until) = held.and_then(|held| held.iter().map(|held| held.until).min()) {
            self.flows.set_timer(key, until);
            self.flows.stall(key);
        }
    }

    /// The way of a datagram of a socket. Neighbors are asked for as long as datagrams for them
    /// can be put aside.
    fn way<N: Net>(
        &mut self,
        transmitter: &mut Transmitter<N>,
        key: usize,
        ends: Ends,
        now: Instant,
    ) -> Way {
        if let Some(hardware) = self.group(ends.remote.addr) {
            return Way::Known(hardware);
        }
        let Some(hop) = self.next_hop(ends.remote.addr) else {
            return Way::None;
        };
        // Whoever forges senders would have as many neighbors asked for.
        if !self.outbox(key).is_some_and(|outbox| outbox.can_hold()) {
            return self.neighbors.known(hop).map_or(Way::None, Way::Known);
        }
        let (hardware, asks) = self.neighbors.find(hop, false, now);
        if asks {
            self.ask(transmitter, ends.local.addr, hop);
        }
        hardware.map_or(Way::Asked, Way::Known)
    }

    /// Where packets to many hosts go (RFC 1112, section 6.4; RFC 2464, section 7).
    fn group(&self, address: IpAddress) -> Option<EthernetAddress> {
        match address {
            IpAddress::Ipv4(address) if address.is_multicast() => {
                let [_, a, b, c] = address.octets();
                Some(EthernetAddress([0x01, 0, 0x5e, a & 0x7f, b, c]))
            }
            IpAddress::Ipv4(address) => {
                let mut networks = self.interface.ip_addrs().iter();
                let is_all = address.is_broadcast()
                    || networks.any(|network| match network {
                        IpCidr::Ipv4(network) => network.broadcast() == Some(address),
                        IpCidr::Ipv6(_) => false,
                    });
                is_all.then_some(EthernetAddress::BROADCAST)
            }
            IpAddress::Ipv6(address) if address.is_multicast() => {
                let [.., a, b, c, d] = address.octets();
                Some(EthernetAddress([0x33, 0x33, a, b, c, d]))
            }
            IpAddress::Ipv6(_) => None,
        }
    }
}

/// Sends a datagram. One that the device refuses is lost, as on the wire.
fn send<N: Net>(
    transmitter: &mut Transmitter<N>,
    (source, destination): (EthernetAddress, EthernetAddress),
    ends: Ends,
    payload: &[u8],
) {
    let (from, to) = (ends.local.addr, ends.remote.addr);
    let header = IpRepr::new(
        from,
        to,
        IpProtocol::Udp,
        UDP_HEADER_LEN + payload.len(),
        HOP_LIMIT,
    );
    let length = ETHERNET + header.buffer_len();
    let _ = transmitter.device.transmit(length, |bytes| {
        let mut frame = EthernetFrame::new_unchecked(bytes);
        frame.set_src_addr(source);
        frame.set_dst_addr(destination);
        frame.set_ethertype(match to {
            IpAddress::Ipv4(_) => EthernetProtocol::Ipv4,
            IpAddress::Ipv6(_) => EthernetProtocol::Ipv6,
        });
        let checksums = ChecksumCapabilities::default();
        let packet = frame.payload_mut();
        header.emit(&mut packet[..], &checksums);
        let datagram = UdpRepr {
            src_port: ends.local.port,
            dst_port: ends.remote.port,
        };
        datagram.emit(
            &mut UdpPacket::new_unchecked(&mut packet[header.header_len()..]),
            &from,
            &to,
            payload.len(),
            |bytes| bytes.copy_from_slice(payload),
            &checksums,
        );
    });
}
