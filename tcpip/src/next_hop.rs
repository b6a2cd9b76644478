//! Where packets go: the neighbor that is next on their way, and its hardware address.

use super::engine::Engine;
use super::neighbors::Question;
use super::phy::Transmitter;
use super::route::{NEIGHBOR_PAUSE, route};
use super::table::State;
use fata_net::Net;
use fata_time::Instant;
use smoltcp::wire::{EthernetAddress, IpAddress, IpCidr};

impl Engine {
    /// Where a connection's segments go. If that is not known yet, the neighbor is asked.
    pub(super) fn hardware_of<N: Net>(
        &mut self,
        transmitter: &mut Transmitter<N>,
        key: usize,
        now: Instant,
    ) -> Option<EthernetAddress> {
        let entry = self.table.get(key)?;
        let tuple = entry.tuple;
        let State::Flow(flow) = &mut entry.state else {
            return None;
        };
        let (before, doubted) = (flow.hardware, flow.doubted);
        if before.is_some() && !doubted {
            return before;
        }
        let deadline = flow.deadline();
        let Some(hop) = self.next_hop(tuple.remote().addr) else {
            if before.is_some() {
                return before;
            }
            self.table
                .flow(key)?
                .connection
                .abort(fata_tcp::Error::Unreachable);
            self.settle_connection(key, now);
            return None;
        };
        let (found, asks) = self.neighbors.find(hop, doubted, now);
        if asks {
            self.ask(transmitter, tuple.local().addr, hop);
        }
        let hardware = found.or(before);
        if hardware.is_none() {
            let again = now + NEIGHBOR_PAUSE;
            let due = deadline.map_or(again, |deadline| deadline.min(again));
            self.table.set_timer(key, due);
            let flow = self.table.flow(key)?;
            if !core::mem::replace(&mut flow.stalled, true) {
                self.stalled.push(key);
            }
        }
        self.table.flow(key)?.hardware = hardware;
        hardware
    }

    /// The neighbor that packets to an address go to.
    pub(super) fn next_hop(&self, remote: IpAddress) -> Option<IpAddress> {
        if let IpAddress::Ipv4(remote) = remote {
            let route = route(&self.routes, remote)?;
            return Some(route.router.unwrap_or(remote).into());
        }
        let addresses = self.interface.ip_addrs();
        if addresses.iter().any(|own| own.contains_addr(&remote)) {
            return Some(remote);
        }
        let routes = self.interface.routes();
        Some(routes.get_default_ipv6_route()?.via_router)
    }

    /// Asks for a neighbor's hardware address. Routers are asked again until they answer or
    /// another one is used.
    pub(super) fn ask<N: Net>(
        &mut self,
        transmitter: &mut Transmitter<N>,
        source: IpAddress,
        target: IpAddress,
    ) {
        if let IpAddress::Ipv6(router) = target
            && self.ipv6.doubt_router(router, self.now())
        {
            return;
        }
        let question = Question {
            hardware: self.hardware,
            source,
            target,
        };
        // A lost question is asked again.
        let _ = transmitter.transmit(question.len(), |frame| question.emit(frame));
    }

    /// Where packets to many hosts go (RFC 1112, section 6.4; RFC 2464, section 7).
    pub(super) fn group(&self, address: IpAddress) -> Option<EthernetAddress> {
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
