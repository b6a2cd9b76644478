//! Sends datagrams. Those to a neighbor that is still asked for do not hold up the others.

use super::engine::Engine;
use super::flow::Flow;
use super::frame::ETHERNET;
use super::outbox::{Ends, Outbox};
use super::phy::Transmitter;
use fata_net::Net;
use fata_time::Instant;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, IpAddress, IpProtocol, IpRepr,
    UDP_HEADER_LEN, UdpPacket, UdpRepr,
};

/// How many hops a datagram may take.
const HOP_LIMIT: u8 = 64;
/// The same to a multicast group, which no router is to pass on (RFC 1112, section 6.1).
const GROUP_HOP_LIMIT: u8 = 1;

/// The way that a datagram is to go, as far as it is known.
enum Way {
    Known(EthernetAddress),
    /// This neighbor is asked for.
    Asked(IpAddress),
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
            if !transmitter.can_transmit() {
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
                Way::Asked(hop) => outbox.hold(hop, now),
                Way::None => {
                    outbox.pop();
                    self.totals.unreachable += 1;
                }
            }
        }
        if let Some(time) = self.outbox(key).and_then(|outbox| outbox.look_at()) {
            self.flows.set_timer(key, time);
            self.flows.stall(key);
        }
        true
    }

    /// Sends those of the datagrams that were put aside whose neighbor has been found
    /// meanwhile, and drops those that have waited for too long.
    fn transmit_held<N: Net>(
        &mut self,
        transmitter: &mut Transmitter<N>,
        key: usize,
        now: Instant,
    ) -> bool {
        let may_be_found = self.flows.get(key).is_some_and(|flow| !flow.stalled);
        let look_at = self.outbox(key).and_then(|outbox| outbox.look_at());
        if !look_at.is_some_and(|time| may_be_found || time <= now) {
            return true;
        }
        let mut index = 0;
        while let Some(held) = self.outbox(key).and_then(|outbox| outbox.held().get(index)) {
            if !transmitter.can_transmit() {
                return false;
            }
            let (hop, source, until) = (held.hop, held.ends.local.addr, held.until);
            let (hardware, asks) = self.neighbors.find(hop, false, now);
            if asks {
                self.ask(transmitter, source, hop);
            }
            if hardware.is_none() && until > now {
                index += 1;
                continue;
            }
            let own = self.hardware;
            let held = self
                .outbox(key)
                .and_then(|outbox| outbox.held().remove(index));
            match (held, hardware) {
                (Some(held), Some(hardware)) => {
                    send(transmitter, (own, hardware), held.ends, &held.payload);
                }
                _ => self.totals.unreachable += 1,
            }
        }
        if let Some(outbox) = self.outbox(key) {
            outbox.looked(now);
        }
        true
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
        if !self.outbox(key).is_some_and(|outbox| outbox.can_hold(hop)) {
            return self.neighbors.known(hop).map_or(Way::None, Way::Known);
        }
        let (hardware, asks) = self.neighbors.find(hop, false, now);
        if asks {
            self.ask(transmitter, ends.local.addr, hop);
        }
        hardware.map_or(Way::Asked(hop), Way::Known)
    }
}

/// Sends a datagram. One that the device refuses is lost, as on the wire.
pub(super) fn send<N: Net>(
    transmitter: &mut Transmitter<N>,
    (source, destination): (EthernetAddress, EthernetAddress),
    ends: Ends,
    payload: &[u8],
) {
    let (from, to) = (ends.local.addr, ends.remote.addr);
    let hop_limit = match to.is_multicast() {
        true => GROUP_HOP_LIMIT,
        false => HOP_LIMIT,
    };
    let datagram_length = UDP_HEADER_LEN + payload.len();
    let header = IpRepr::new(from, to, IpProtocol::Udp, datagram_length, hop_limit);
    let length = ETHERNET + header.buffer_len();
    let _ = transmitter.transmit(length, |bytes| {
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
