//! The interface's addresses and routes: given ones, and those from DHCP.

use super::engine::Engine;
use super::{Ipv4Config, Ipv6Config};
use core::net::{Ipv4Addr, Ipv6Addr};
use smoltcp::socket::dhcpv4::{self, Event};
use smoltcp::time::Duration;
use smoltcp::wire::{EthernetAddress, IpCidr, Ipv4Cidr, Ipv6Cidr};

/// How long to wait for a DHCP server's answer before it is asked again.
const DISCOVER_TIMEOUT: Duration = Duration::from_secs(3);
/// The same for the answer to a request, doubled with every second attempt.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

impl Engine {
    /// Gives the interface its first addresses, or starts DHCP.
    pub(super) fn set_addresses(&mut self, mac: EthernetAddress) {
        match self.config.ipv4 {
            Ipv4Config::Off => {}
            Ipv4Config::Dhcp => self.start_dhcp(),
            Ipv4Config::Static {
                address,
                prefix,
                gateway,
            } => self.set_ipv4(address, prefix, gateway),
        }
        if self.config.ipv6 != Ipv6Config::Off {
            self.add_address(link_local(mac).into(), 64);
        }
        if let Ipv6Config::Static {
            address,
            prefix,
            gateway,
        } = self.config.ipv6
        {
            self.add_address(address.into(), prefix.min(128));
            if let Some(gateway) = gateway.filter(|gateway| !gateway.is_multicast()) {
                // The table has room: it holds two default routes at most.
                let _ = self.interface.routes_mut().add_default_ipv6_route(gateway);
            }
        }
    }

    fn start_dhcp(&mut self) {
        let mut socket = dhcpv4::Socket::new();
        let mut retry = dhcpv4::RetryConfig::default();
        retry.discover_timeout = DISCOVER_TIMEOUT;
        retry.initial_request_timeout = REQUEST_TIMEOUT;
        socket.set_retry_config(retry);
        // It says first that there is no address, which is no news.
        let _ = socket.poll();
        let key = self.interface_flow;
        if let Some(flow) = self.flows.get(key) {
            flow.handle = flow.sockets.add(socket);
        }
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
        let lease = match flow.sockets.get_mut::<dhcpv4::Socket>(flow.handle).poll() {
            None => return,
            Some(Event::Deconfigured) => None,
            Some(Event::Configured(lease)) => Some((lease.address, lease.router)),
        };
        self.clear_ipv4();
        match lease {
            Some((cidr, router)) => self.set_ipv4(cidr.address(), cidr.prefix_len(), router),
            None => log::warn!(target: "net", "the DHCP lease is lost; asking for a new one"),
        }
        self.flows.make_all_ready();
        self.abort_homeless();
    }

    fn clear_ipv4(&mut self) {
        self.interface
            .update_ip_addrs(|addresses| addresses.retain(|cidr| matches!(cidr, IpCidr::Ipv6(_))));
        self.interface.routes_mut().remove_default_ipv4_route();
    }

    fn set_ipv4(&mut self, address: Ipv4Addr, prefix: u8, gateway: Option<Ipv4Addr>) {
        if !is_unicast(address) {
            log::error!(target: "net", "{address} cannot be the address of a host");
            return;
        }
        self.add_address(address.into(), prefix.min(32));
        if let Some(gateway) = gateway.filter(|gateway| is_unicast(*gateway)) {
            // The table has room: it holds two default routes at most.
            let _ = self.interface.routes_mut().add_default_ipv4_route(gateway);
            log::info!(target: "net", "address {address}/{prefix}, gateway {gateway}");
        } else {
            log::info!(target: "net", "address {address}/{prefix}, no gateway");
        }
        for waiter in self.address_waiters.drain(..) {
            waiter.wake();
        }
    }

    fn add_address(&mut self, address: core::net::IpAddr, prefix: u8) {
        let cidr = match address {
            core::net::IpAddr::V4(address) => IpCidr::Ipv4(Ipv4Cidr::new(address, prefix)),
            core::net::IpAddr::V6(address) if !address.is_multicast() => {
                IpCidr::Ipv6(Ipv6Cidr::new(address, prefix))
            }
            core::net::IpAddr::V6(address) => {
                log::error!(target: "net", "{address} cannot be the address of a host");
                return;
            }
        };
        self.interface.update_ip_addrs(|addresses| {
            // At most three addresses; smoltcp has room for eight.
            let _ = addresses.push(cidr);
        });
    }

    /// Whether the interface has the addresses that it is to have.
    pub(super) fn is_configured(&self) -> bool {
        self.config.ipv4 == Ipv4Config::Off || self.interface.ipv4_addr().is_some()
    }
}

fn is_unicast(address: Ipv4Addr) -> bool {
    !(address.is_broadcast() || address.is_multicast() || address.is_unspecified())
}

/// The link-local address with an interface identifier made from the MAC address
/// (RFC 4291, appendix A).
fn link_local(EthernetAddress([a, b, c, d, e, f]): EthernetAddress) -> Ipv6Addr {
    let mut octets = [0; 16];
    octets[..2].copy_from_slice(&[0xfe, 0x80]);
    octets[8..].copy_from_slice(&[a ^ 2, b, c, 0xff, 0xfe, d, e, f]);
    Ipv6Addr::from(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_addresses_follow_the_mac() {
        let address = link_local(EthernetAddress([0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde]));
        assert_eq!(Ok(address), "fe80::3656:78ff:fe9a:bcde".parse());
    }
}
