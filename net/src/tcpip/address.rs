//! The interface's IPv4 address and route, given or from DHCP, and what follows from changes
//! of addresses.

use super::engine::Engine;
use super::ports::Scope;
use super::{Ipv4Config, Ipv6Config, dhcp};
use core::net::{IpAddr, Ipv4Addr};
use smoltcp::wire::{IpCidr, Ipv4Cidr};

impl Engine {
    /// Gives the interface its first addresses, or starts DHCP.
    pub(super) fn set_addresses(&mut self) {
        match self.config.ipv4 {
            Ipv4Config::Off => {}
            Ipv4Config::Dhcp => self.start_dhcp(),
            Ipv4Config::Static { address, .. } if !is_unicast(address) => {
                log::error!(target: "net", "{address} cannot be the address of a host; IPv4 is off");
                // Nobody waits for it.
                self.config.ipv4 = Ipv4Config::Off;
            }
            Ipv4Config::Static {
                address,
                prefix,
                gateway,
            } => self.set_ipv4(address, prefix, gateway),
        }
        self.apply_ipv6();
    }

    fn start_dhcp(&mut self) {
        let key = self.interface_flow;
        if let Some(flow) = self.flows.get(key) {
            flow.handle = flow.sockets.add(dhcp::client(self.mtu));
        }
        // A socket of the application there would take the answers.
        self.udp_ports.insert(dhcp::PORT, Scope::AllIpv4, key);
        self.flows.make_ready(key);
    }

    /// Takes over what DHCP has found out.
    pub(super) fn settle_addresses(&mut self, key: usize) {
        if self.config.ipv4 != Ipv4Config::Dhcp {
            return;
        }
        let Some(flow) = self.flows.get(key) else {
            return;
        };
        let Some(lease) = dhcp::poll(flow.sockets.get_mut(flow.handle)) else {
            return;
        };
        if lease == self.lease {
            // It was renewed.
            return;
        }
        self.clear_ipv4();
        match &lease {
            Some(lease) => {
                let (address, prefix) = (lease.address.address(), lease.address.prefix_len());
                self.set_ipv4(address, prefix, lease.router);
            }
            None => log::warn!(target: "net", "the DHCP lease is lost; asking for a new one"),
        }
        self.lease = lease;
        self.addresses_changed();
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
        let dhcp = self.lease.iter().flat_map(|lease| &lease.servers);
        let dhcp = dhcp.map(|server| (*server).into());
        dhcp.chain(self.ipv6.servers().map(IpAddr::from))
    }

    fn clear_ipv4(&mut self) {
        self.interface
            .update_ip_addrs(|addresses| addresses.retain(|cidr| matches!(cidr, IpCidr::Ipv6(_))));
        self.interface.routes_mut().remove_default_ipv4_route();
    }

    fn set_ipv4(&mut self, address: Ipv4Addr, prefix: u8, gateway: Option<Ipv4Addr>) {
        let cidr = IpCidr::Ipv4(Ipv4Cidr::new(address, prefix.min(32)));
        self.interface.update_ip_addrs(|addresses| {
            // At most six addresses; smoltcp has room for eight.
            let _ = addresses.push(cidr);
        });
        self.arp.announces = true;
        if let Some(gateway) = gateway.filter(|gateway| is_unicast(*gateway)) {
            // The table has room: it holds two default routes at most.
            let _ = self.interface.routes_mut().add_default_ipv4_route(gateway);
            log::info!(target: "net", "address {address}/{prefix}, gateway {gateway}");
        } else {
            log::info!(target: "net", "address {address}/{prefix}, no gateway");
        }
    }

    /// Whether the interface has an address by which others can reach it. One that is to have
    /// none is as good as it gets.
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

fn is_unicast(address: Ipv4Addr) -> bool {
    !(address.is_broadcast() || address.is_multicast() || address.is_unspecified())
}
