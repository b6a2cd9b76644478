//! The interface's IPv4 address and route, given or from DHCP, and what follows from changes
//! of addresses.

use super::dhcp::Client;
use super::engine::Engine;
use super::host_address::{check_host, check_router};
use super::route::Route;
use super::{Ipv4Config, Ipv6Config};
use core::net::{IpAddr, Ipv4Addr};
use smoltcp::wire::{IpAddress, IpCidr, Ipv4Cidr};

/// A network that is said to carry less is not believed, as Linux's clients have it: every host
/// takes packets of so many bytes (RFC 791, section 3.1).
const LEAST_MTU: usize = 576;
/// The same for IPv6 (RFC 8200, section 5).
const LEAST_IPV6_MTU: usize = 1_280;

impl Engine {
    /// Gives the interface its first addresses, or starts DHCP.
    pub(super) fn set_addresses(&mut self) {
        match self.config.ipv4 {
            Ipv4Config::Off => {}
            Ipv4Config::Dhcp => self.start_dhcp(),
            Ipv4Config::Static {
                address,
                prefix,
                gateway,
            } => self.set_given_ipv4(address, prefix.min(32), gateway),
        }
        self.apply_ipv6();
    }

    fn set_given_ipv4(&mut self, address: Ipv4Addr, prefix: u8, gateway: Option<Ipv4Addr>) {
        if let Err(error) = check_host(address.into(), prefix) {
            log::error!(target: "net", "{address}/{prefix}: {error}; IPv4 is off");
            // Nobody waits for it.
            self.config.ipv4 = Ipv4Config::Off;
            return;
        }
        let gateway = gateway.filter(|gateway| {
            let checked = check_router(address.into(), prefix, (*gateway).into());
            checked
                .inspect_err(|error| log::error!(target: "net", "gateway {gateway}: {error}"))
                .is_ok()
        });
        let route = gateway.map(Route::default_through);
        self.set_ipv4(Ipv4Cidr::new(address, prefix), route.as_slice());
    }

    /// Ends what has lost its local address, and wakes those who wait for one.
    pub(super) fn addresses_changed(&mut self) {
        self.flows.make_all_ready();
        self.abort_homeless();
        self.wake_address_waiters();
    }

    fn wake_address_waiters(&mut self) {
        if self.is_configured() {
            self.address_waiters.wake();
        }
    }

    /// Lets other hosts reach this one over IPv6 alone: no DHCP server answers.
    pub(super) fn give_up_ipv4(&mut self) {
        self.ipv4_is_optional = true;
        self.wake_address_waiters();
    }

    /// The name servers that DHCP and routers have told.
    pub(super) fn dns_servers(&self) -> impl Iterator<Item = IpAddr> {
        let lease = self.dhcp.as_ref().and_then(Client::lease);
        let dhcp = lease.into_iter().flat_map(|lease| &lease.servers);
        let dhcp = dhcp.map(|server| (*server).into());
        dhcp.chain(self.ipv6.servers().map(IpAddr::from))
    }

    pub(super) fn clear_ipv4(&mut self) {
        self.interface
            .update_ip_addrs(|addresses| addresses.retain(|cidr| matches!(cidr, IpCidr::Ipv6(_))));
        self.routes.clear();
        self.tell_routes();
    }

    /// Gives the interface its IPv4 address and the ways to networks other than its own.
    pub(super) fn set_ipv4(&mut self, cidr: Ipv4Cidr, routes: &[Route]) {
        self.interface.update_ip_addrs(|addresses| {
            // At most six addresses; smoltcp has room for eight.
            let _ = addresses.push(cidr.into());
        });
        self.arp.announces = true;
        self.routes.push(Route {
            network: cidr.network(),
            router: None,
        });
        self.routes.extend_from_slice(routes);
        self.tell_routes();
        let all = self.routes.iter();
        match all.rev().find(|route| route.network.prefix_len() == 0) {
            Some(Route {
                router: Some(gateway),
                ..
            }) => log::info!(target: "net", "address {cidr}, gateway {gateway}"),
            _ => log::info!(target: "net", "address {cidr}, no gateway"),
        }
    }

    /// Tells smoltcp the ways, as far as it has room: answers to pings take them.
    // Inlined into both of its callers it would be there twice.
    #[inline(never)]
    fn tell_routes(&mut self) {
        let routes = &self.routes;
        self.interface.routes_mut().update(|all| {
            all.retain(|route| matches!(route.cidr, IpCidr::Ipv6(_)));
            for route in routes {
                // The place of IPv6's is kept.
                if let Some(router) = route.router.filter(|_| all.len() + 1 < all.capacity()) {
                    let _ = all.push(smoltcp::iface::Route {
                        cidr: route.network.into(),
                        via_router: router.into(),
                        preferred_until: None,
                        expires_at: None,
                    });
                }
            }
        });
    }

    /// Sends packets of up to so many bytes from now on, or as long ones as the device takes.
    pub(super) fn set_mtu(&mut self, told: Option<u16>) {
        let told = told.map(usize::from);
        if let Some(told) = told.filter(|told| *told < LEAST_MTU) {
            log::warn!(target: "net", "the DHCP server tells an MTU of {told} bytes, too few for IPv4");
        }
        let told = told.filter(|told| *told >= LEAST_MTU);
        let before = self.mtu;
        self.mtu = told.unwrap_or(usize::MAX).min(self.device_mtu);
        if self.mtu < before {
            self.shorten_connections();
        }
    }

    /// The longest packet, in bytes, from or to an address.
    pub(super) fn longest_packet(&self, address: IpAddress) -> usize {
        match address {
            IpAddress::Ipv4(_) => self.mtu,
            IpAddress::Ipv6(_) => {
                let announced = self.ipv6.mtu().unwrap_or(self.device_mtu);
                announced.min(self.mtu.max(LEAST_IPV6_MTU))
            }
        }
    }

    /// Tells whether the interface has an address by which others can reach it. One that is to
    /// have none is as good as it gets.
    pub(super) fn is_configured(&self) -> bool {
        if self.interface.ipv4_addr().is_some() {
            return true;
        }
        let addresses = self.interface.ip_addrs();
        let is_global = |cidr: &IpCidr| match cidr {
            IpCidr::Ipv6(cidr) => !cidr.address().is_unicast_link_local(),
            IpCidr::Ipv4(_) => false,
        };
        match (self.config.ipv4, self.config.ipv6) {
            (Ipv4Config::Off, Ipv6Config::Auto) => addresses.iter().any(is_global),
            (Ipv4Config::Off, _) => true,
            _ => self.ipv4_is_optional && addresses.iter().any(is_global),
        }
    }
}
