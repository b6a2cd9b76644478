//! Connection of the IPv6 addresses with the device and with smoltcp's interface.

use super::super::engine::Engine;
use super::super::phy::Adapter;
use super::slaac::Slaac;
use core::net::Ipv6Addr;
use fata_net::Net;
use smoltcp::phy::{Device, TxToken};
use smoltcp::time::Instant;
use smoltcp::wire::{IpAddress, IpCidr, Ipv6Cidr};

impl Engine {
    /// Takes in a frame that was received, if it concerns the addresses.
    pub(in super::super) fn receive_ipv6(&mut self, frame: &[u8]) {
        self.ipv6.receive(frame, self.tasks.now(), &mut self.random);
        self.apply_ipv6();
    }

    /// Sends what is due for the addresses, as far as the device has room.
    pub(in super::super) fn send_ipv6<N: Net>(&mut self, adapter: &mut Adapter<N>) {
        self.ipv6.is_blocked = false;
        let due = self.tasks.now();
        while self.ipv6.deadline().is_some_and(|deadline| deadline <= due) {
            let Some(token) = adapter.transmit(Instant::ZERO) else {
                self.ipv6.is_blocked = true;
                break;
            };
            if let Some(packet) = self.ipv6.next(due, &mut self.random) {
                let bytes = packet.as_ref();
                token.consume(bytes.len(), |frame| frame.copy_from_slice(bytes));
            }
        }
        self.apply_ipv6();
    }

    /// Gives the interface the addresses and the router that there are now.
    pub(in super::super) fn apply_ipv6(&mut self) {
        let router = self.ipv6.router();
        let routes = self.interface.routes_mut();
        let known = routes.get_default_ipv6_route();
        if known.map(|route| route.via_router) != router.map(IpAddress::from) {
            routes.remove_default_ipv6_route();
            if let Some(router) = router {
                // The table has room: it holds two default routes at most.
                let _ = routes.add_default_ipv6_route(router);
                if known.is_some() {
                    self.find_router(router);
                }
            }
            self.flows.make_stalled_ready();
            self.make_stalled_ready();
        }
        if !core::mem::take(&mut self.ipv6.changed) {
            return;
        }
        let addresses = &self.ipv6.addresses;
        for (address, length) in addresses.usable() {
            if !self.interface.has_ip_addr(address) && !address.is_unicast_link_local() {
                log::info!(target: "net", "address {address}/{length}");
            }
        }
        self.interface.update_ip_addrs(|all| {
            all.retain(|cidr| matches!(cidr, IpCidr::Ipv4(_)));
            for (address, length) in addresses.usable() {
                // At most six addresses; smoltcp has room for eight.
                let _ = all.push(Ipv6Cidr::new(address, length).into());
            }
        });
        self.addresses_changed();
    }

    /// Asks for a router that takes another one's place, so that it is known when it is needed.
    fn find_router(&mut self, router: Ipv6Addr) {
        let now = self.tasks.now();
        let (_, asks) = self.neighbors.find(router.into(), false, now);
        if asks {
            self.ipv6.doubt_router(router, now);
        }
    }

    /// The address from which packets to `remote` are sent (RFC 6724, section 5).
    pub(in super::super) fn source_address(&self, remote: IpAddress) -> Option<IpAddress> {
        let IpAddress::Ipv6(remote) = remote else {
            return self.interface.get_source_address(&remote);
        };
        let now = self.tasks.now();
        let slaac = self.ipv6.slaac.as_ref();
        let is_deprecated = |own| slaac.is_some_and(|slaac: &Slaac| slaac.is_deprecated(own, now));
        let usable = self.ipv6.addresses.usable();
        let best = usable.max_by_key(|(own, _)| {
            let common = (own.to_bits() ^ remote.to_bits()).leading_zeros();
            (
                has_scope_of(*own, remote),
                !is_deprecated(*own),
                common.min(64),
            )
        });
        best.map(|(own, _)| own.into())
    }
}

/// Tells whether an own address is good for as far away as `remote` and no further.
fn has_scope_of(own: Ipv6Addr, remote: Ipv6Addr) -> bool {
    const LINK_LOCAL_SCOPE: u16 = 2;
    let [first, ..] = remote.segments();
    let is_near = match remote.is_multicast() {
        true => first & 0xf <= LINK_LOCAL_SCOPE,
        false => remote.is_unicast_link_local(),
    };
    own.is_unicast_link_local() == is_near
}
