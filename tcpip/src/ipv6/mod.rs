//! The interface's IPv6 addresses: where they come from, that nobody else has them, and that
//! neighbors find them.
//!
//! Ours and not smoltcp's, whose version of it polls for ever without a router, overlooks
//! that addresses expire, takes one prefix and no name servers, and joins groups with a
//! report that says the opposite.

mod addresses;
mod advertisement;
mod groups;
mod interface;
mod message;
mod options;
mod packet;
mod routers;
mod slaac;

use super::Ipv6Config;
use super::host_address::{check_host, check_router};
use super::ports::Random;
use fata_net::MacAddress;
pub(super) use message::solicited_node;

use addresses::{Addresses, Dispatch};
use core::net::Ipv6Addr;
use fata_time::Instant;
use groups::Groups;
use message::Content;
use packet::Packet;
use slaac::Slaac;

/// Upkeep of the interface's IPv6 addresses. Frames go in, frames come out; it knows neither
/// device nor sockets.
pub(super) struct Ipv6 {
    mac: MacAddress,
    link_local: Option<Ipv6Addr>,
    given: Option<(Ipv6Addr, u8)>,
    gateway: Option<Ipv6Addr>,
    slaac: Option<Slaac>,
    addresses: Addresses,
    groups: Groups,
    /// True if addresses have changed since that was last asked.
    changed: bool,
    /// When there is something to do. Each batch of frames asks for it.
    due: Option<Instant>,
    /// True if the device had no room when there was something to send.
    is_blocked: bool,
}

impl Ipv6 {
    /// `mtu` is the device's, in bytes.
    pub(super) fn new(mac: MacAddress, config: &Ipv6Config, mtu: usize, now: Instant) -> Self {
        let identifier = interface_identifier(mac);
        let mut ipv6 = Self {
            mac,
            link_local: (*config != Ipv6Config::Off).then_some(link_local(identifier)),
            given: None,
            gateway: None,
            slaac: None,
            addresses: Addresses::default(),
            groups: Groups::default(),
            changed: false,
            due: None,
            is_blocked: false,
        };
        match *config {
            Ipv6Config::Off | Ipv6Config::LinkLocal => {}
            Ipv6Config::Auto => ipv6.slaac = Some(Slaac::new(identifier, mtu, now)),
            Ipv6Config::Static {
                address,
                prefix,
                gateway,
            } => ipv6.set_given(address, prefix.min(128), gateway),
        }
        ipv6.update(now);
        ipv6.schedule();
        ipv6
    }

    fn set_given(&mut self, address: Ipv6Addr, prefix: u8, gateway: Option<Ipv6Addr>) {
        if let Err(error) = check_host(address.into(), prefix) {
            log::error!(target: "net", "{address}/{prefix}: {error}");
            return;
        }
        self.given = Some((address, prefix));
        if let Some(gateway) = gateway {
            match check_router(address.into(), prefix, gateway.into()) {
                Ok(()) => self.gateway = Some(gateway),
                Err(error) => log::error!(target: "net", "gateway {gateway}: {error}"),
            }
        }
    }

    /// Takes in a frame of ICMPv6, or any other, in which there is nothing for it.
    fn receive(&mut self, frame: &[u8], now: Instant, random: &mut Random) {
        if self.link_local.is_none() && self.given.is_none() {
            return;
        }
        let Some(message) = message::parse(frame, self.mac) else {
            return;
        };
        let destination = message.destination;
        if !destination.is_multicast() && !self.addresses.contains(destination) {
            return;
        }
        match message.content {
            Content::RouterAdvertisement(advertisement) => {
                if let Some(slaac) = &mut self.slaac {
                    slaac.receive(message.source, &advertisement, now);
                    self.update(now);
                }
            }
            Content::NeighborSolicitation { target, nonce } => {
                if message.source.is_unspecified() && self.addresses.probed(target, nonce) {
                    self.lose(target, now);
                }
            }
            Content::NeighborAdvertisement { target } => {
                if self.addresses.claimed(target) {
                    self.lose(target, now);
                } else if let Some(slaac) = &mut self.slaac {
                    slaac.routers.hear(target);
                }
            }
            Content::Query(query) => self.groups.ask(&query, now, random),
        }
        self.schedule();
    }

    /// Does what is due. Returns the next frame that is to be sent.
    fn next(&mut self, now: Instant, random: &mut Random) -> Option<Packet> {
        let packet = self.act(now, random);
        self.schedule();
        packet
    }

    fn act(&mut self, now: Instant, random: &mut Random) -> Option<Packet> {
        if let Some(slaac) = &mut self.slaac {
            slaac.expire(now);
            self.update(now);
        }
        // Neighbors' questions come through once the groups are known, so they are first.
        let source = self.source();
        if let Some(report) = self.groups.next(self.mac, source, now, random) {
            return Some(report);
        }
        match self.addresses.next(now, random) {
            Some(Dispatch::Probe(address, nonce)) => {
                return Some(Packet::probe(self.mac, address, nonce));
            }
            Some(Dispatch::Defence(address)) => return Some(Packet::defence(self.mac, address)),
            None => {}
        }
        let slaac = self.slaac.as_mut()?;
        if let Some(router) = slaac.question(now) {
            return Some(Packet::question(self.mac, source, router));
        }
        slaac
            .solicits(now, random)
            .then(|| Packet::router_solicitation(self.mac, source))
    }

    /// When [`next`](Self::next) has something to do: never while the device has no room.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due.filter(|_| !self.is_blocked)
    }

    fn schedule(&mut self) {
        let slaac = self.slaac.as_ref().and_then(Slaac::deadline);
        let own = [self.addresses.deadline(), self.groups.deadline(), slaac];
        self.due = own.into_iter().flatten().min();
    }

    /// The address that other hosts on the link know it by.
    fn source(&self) -> Ipv6Addr {
        let usable = self.link_local.filter(|own| self.addresses.contains(*own));
        usable.unwrap_or(Ipv6Addr::UNSPECIFIED)
    }

    /// Works out the addresses anew.
    fn update(&mut self, now: Instant) {
        let link_local = self.link_local.map(|address| (address, 64));
        let announced = self.slaac.iter().flat_map(|slaac| slaac.addresses());
        let wanted = link_local.into_iter().chain(self.given).chain(announced);
        let changed = self.addresses.set(wanted, now);
        if changed {
            self.changed = true;
            let usable = self.addresses.usable().map(|(address, _)| address);
            self.groups.set(usable, now);
        }
    }

    /// Does without an address that another host has.
    fn lose(&mut self, address: Ipv6Addr, now: Instant) {
        if self.link_local == Some(address) {
            // All others have the same lower half (RFC 4862, section 5.4.5).
            self.slaac = None;
            log::error!(
                target: "net",
                "another host has the address {address}, and so the same MAC address; IPv6 is \
                 off but for a given address: give each machine a MAC address of its own"
            );
        } else {
            log::error!(
                target: "net",
                "another host has the address {address}; it is not used here: give each host \
                 another one"
            );
        }
        self.changed = true;
        self.update(now);
    }

    /// The router to other networks.
    fn router(&self) -> Option<Ipv6Addr> {
        let announced = || self.slaac.as_ref()?.routers.best();
        self.gateway.or_else(announced)
    }

    /// Has a router asked, for as long as it takes to know whether it answers. Returns whether
    /// it is one that was announced.
    pub(super) fn doubt_router(&mut self, address: Ipv6Addr, now: Instant) -> bool {
        let slaac = self.slaac.as_mut();
        let is_announced = slaac.is_some_and(|slaac| slaac.routers.doubt(address, now));
        if is_announced {
            self.schedule();
        }
        is_announced
    }

    /// Recursive name servers that routers have announced.
    pub(super) fn servers(&self) -> impl Iterator<Item = Ipv6Addr> {
        self.slaac.iter().flat_map(Slaac::servers)
    }

    /// The longest packet that the network carries, in bytes, where routers are heard.
    pub(super) fn mtu(&self) -> Option<usize> {
        self.slaac.as_ref().map(Slaac::mtu)
    }
}

/// An interface identifier made from the MAC address (RFC 4291, appendix A).
fn interface_identifier(MacAddress([a, b, c, d, e, f]): MacAddress) -> u64 {
    u64::from_be_bytes([a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

fn link_local(identifier: u64) -> Ipv6Addr {
    Ipv6Addr::from_bits(0xfe80 << 112 | u128::from(identifier))
}
