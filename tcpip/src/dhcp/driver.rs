//! Driver of the client: carries its messages over the device, and takes over what it is lent.

use super::client::{Client, Outgoing};
use crate::arp;
use crate::datagrams;
use crate::engine::Engine;
use crate::outbox::Ends;
use crate::phy::Transmitter;
use crate::ports::Scope;
use crate::route::NEIGHBOR_PAUSE;
use core::net::Ipv4Addr;
use fata_net::{MacAddress, Net};
use fata_time::Instant;
use smoltcp::wire::{EthernetAddress, EthernetFrame, IpEndpoint, Ipv4Packet, UdpPacket};

/// Where servers' answers come to, and where servers are.
const PORT: u16 = 68;
const SERVER_PORT: u16 = 67;

impl Engine {
    pub(in super::super) fn start_dhcp(&mut self) {
        let mac = MacAddress(self.hardware.0);
        let host_name = self.config.host_name;
        self.dhcp = Some(Client::new(mac, host_name, self.mtu, self.now()));
        // A socket of the application there would take the answers.
        let key = self.interface_flow;
        self.udp_ports.insert(PORT, Scope::AllIpv4, key);
        self.flows.make_ready(key);
    }

    /// Takes in a datagram for the client, to whatever address: it may be the one that is still
    /// to be lent.
    pub(in super::super) fn receive_dhcp(&mut self, frame: &[u8], now: Instant) {
        let ethernet = EthernetFrame::new_unchecked(frame);
        let Ok(packet) = Ipv4Packet::new_checked(ethernet.payload()) else {
            return;
        };
        if let Ok(datagram) = UdpPacket::new_checked(packet.payload())
            && let Some(client) = &mut self.dhcp
        {
            let source = packet.src_addr();
            client.receive(source, datagram.payload(), now, &mut self.random);
            self.flows.make_ready(self.interface_flow);
            self.apply_lease();
        }
    }

    /// Sends what is due for the lease. Returns whether the device had room for it.
    pub(in super::super) fn transmit_dhcp<N: Net>(
        &mut self,
        transmitter: &mut Transmitter<N>,
        now: Instant,
    ) -> bool {
        let Some(client) = &mut self.dhcp else {
            return true;
        };
        let outgoing = client.poll(now, &mut self.random);
        self.apply_lease();
        if let Some(outgoing) = outgoing {
            if !transmitter.device.can_transmit() {
                return false;
            }
            let Some(hardware) = self.server_hardware(transmitter, &outgoing, now) else {
                // It is sent once the server, or the router to it, has answered.
                self.flows
                    .set_timer(self.interface_flow, now + NEIGHBOR_PAUSE);
                return true;
            };
            self.send_request(transmitter, &outgoing, hardware);
            if let Some(client) = &mut self.dhcp {
                client.note_sent(now, &mut self.random);
            }
        }
        if let Some(deadline) = self.dhcp.as_ref().and_then(Client::deadline) {
            self.flows.set_timer(self.interface_flow, deadline);
        }
        true
    }

    fn send_request<N: Net>(
        &self,
        transmitter: &mut Transmitter<N>,
        outgoing: &Outgoing,
        hardware: EthernetAddress,
    ) {
        let server = outgoing.server.unwrap_or(Ipv4Addr::BROADCAST);
        let ends = Ends {
            local: IpEndpoint::new(outgoing.source.into(), PORT),
            remote: IpEndpoint::new(server.into(), SERVER_PORT),
        };
        let way = (self.hardware, hardware);
        datagrams::send(transmitter, way, ends, outgoing.message.as_ref());
        if let Some(address) = outgoing.probes {
            arp::probe(transmitter, self.hardware, address);
        }
    }

    /// Where a message goes. A server that cannot be reached is asked through all others later.
    fn server_hardware<N: Net>(
        &mut self,
        transmitter: &mut Transmitter<N>,
        outgoing: &Outgoing,
        now: Instant,
    ) -> Option<EthernetAddress> {
        let Some(server) = outgoing.server else {
            return Some(EthernetAddress::BROADCAST);
        };
        let hop = self.next_hop(server.into())?;
        let (hardware, asks) = self.neighbors.find(hop, false, now);
        if asks {
            self.ask(transmitter, outgoing.source.into(), hop);
        }
        hardware
    }

    /// Takes note that another host says that it has `address`. Returns whether it was just lent,
    /// and is given back.
    pub(in super::super) fn note_conflict(&mut self, address: Ipv4Addr, now: Instant) -> bool {
        let random = &mut self.random;
        let client = self.dhcp.as_mut();
        if !client.is_some_and(|client| client.note_conflict(address, now, random)) {
            return false;
        }
        self.flows.make_ready(self.interface_flow);
        self.apply_lease();
        true
    }

    /// Gives the interface what is lent now, if that has changed.
    fn apply_lease(&mut self) {
        if !self.dhcp.as_mut().is_some_and(Client::take_change) {
            return;
        }
        let client = self.dhcp.take();
        let lease = client.as_ref().and_then(Client::lease);
        self.clear_ipv4();
        self.set_mtu(lease.and_then(|lease| lease.mtu));
        match lease {
            Some(lease) => self.set_ipv4(lease.address, &lease.routes),
            None => log::warn!(target: "net", "the DHCP lease is lost; asking for a new one"),
        }
        self.dhcp = client;
        self.addresses_changed();
    }
}
