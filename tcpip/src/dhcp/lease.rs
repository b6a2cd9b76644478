//! Leases: addresses that servers lend, and parameters that they tell.

use super::message::{Message, code};
use super::trouble::Fault;
use crate::host_address::check_host;
use crate::route::Route;
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use core::time::Duration;
use smoltcp::wire::Ipv4Cidr;

/// Name servers, routers and routes that are taken; further ones are passed over.
const MOST_SERVERS: usize = 3;
const MOST_ROUTERS: usize = 4;
const MOST_ROUTES: usize = 16;
/// Bytes of routes that are read: those of [`MOST_ROUTES`] have nine at most.
const ROUTE_BYTES: usize = 9 * MOST_ROUTES;
/// A lease without a time is one of an hour, as Linux's clients have it.
const USUAL_TIME: u32 = 3_600;
/// A lease is kept for so long at least, as dhcpcd has it, so that no server can have this host
/// ask all the time.
const LEAST_TIME: u32 = 20;
/// A lease with this time does not end (RFC 2131, section 3.3).
const INFINITE: u32 = u32::MAX;

/// An address, and what a server tells beside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Lease {
    pub(in super::super) address: Ipv4Cidr,
    pub(in super::super) routes: Vec<Route>,
    /// Name servers.
    pub(in super::super) servers: Vec<Ipv4Addr>,
    /// The longest packet that the network carries, in bytes, as the server has it.
    pub(in super::super) mtu: Option<u16>,
}

impl Lease {
    /// Reads the lease that a message gives, if a host can have it.
    pub(super) fn read(message: &Message<'_>) -> Result<Self, Fault> {
        let address = message.your_address();
        let prefix = prefix(message, address)?;
        check_host(address.into(), prefix).map_err(|error| Fault::Address(address, error))?;
        let mut servers = [0; 4 * MOST_SERVERS];
        let length = message.read(code::NAME_SERVERS, &mut servers);
        Ok(Self {
            address: Ipv4Cidr::new(address, prefix),
            routes: routes(message, address),
            servers: hosts(&servers[..length]),
            mtu: message.value(code::MTU).map(u16::from_be_bytes),
        })
    }
}

/// The length of the network's prefix. Without a mask it follows from the address's class (RFC
/// 791, section 3.2), as Linux's clients have it.
fn prefix(message: &Message<'_>, address: Ipv4Addr) -> Result<u8, Fault> {
    let mask = message.address(code::MASK);
    match mask.filter(|mask| !mask.is_unspecified()) {
        Some(mask) => {
            let ones = mask.to_bits().leading_ones();
            let is_prefix = ones + mask.to_bits().trailing_zeros() == u32::BITS;
            is_prefix.then_some(ones as u8).ok_or(Fault::Mask(mask))
        }
        None => Ok(match address.octets()[0] {
            0..128 => 8,
            128..192 => 16,
            _ => 24,
        }),
    }
}

/// The hosts in a list of addresses.
fn hosts(list: &[u8]) -> Vec<Ipv4Addr> {
    let mut hosts = Vec::new();
    for octets in list.as_chunks().0 {
        let host = Ipv4Addr::from_octets(*octets);
        if is_host(host) {
            hosts.push(host);
        }
    }
    hosts
}

fn is_host(address: Ipv4Addr) -> bool {
    check_host(address.into(), 32).is_ok()
}

/// The ways to other networks. Where there are routes, routers do not count (RFC 3442).
fn routes(message: &Message<'_>, own: Ipv4Addr) -> Vec<Route> {
    let mut bytes = [0; ROUTE_BYTES];
    let length = message.read(code::ROUTES, &mut bytes);
    let mut rest = &bytes[..length];
    let mut routes = Vec::new();
    while let Some((network, router)) = next_route(&mut rest) {
        // Zero stands for neighbors.
        if router.is_unspecified() || (is_host(router) && router != own) {
            routes.push(Route {
                network,
                router: (!router.is_unspecified()).then_some(router),
            });
        }
    }
    if routes.is_empty() {
        let length = message.read(code::ROUTERS, &mut bytes[..4 * MOST_ROUTERS]);
        let routers = hosts(&bytes[..length]);
        if let Some(router) = routers.iter().find(|router| **router != own) {
            routes.push(Route::default_through(*router));
        }
    }
    routes
}

/// Takes a route off a list: the length of a prefix, as many of its bytes as count, and the
/// router.
fn next_route(rest: &mut &[u8]) -> Option<(Ipv4Cidr, Ipv4Addr)> {
    let (&prefix, after) = rest.split_first()?;
    let significant = usize::from(prefix).div_ceil(8);
    let mut network = [0; 4];
    let (known, after) = after.split_at_checked(significant)?;
    network.get_mut(..significant)?.copy_from_slice(known);
    let (router, after) = after.split_first_chunk()?;
    *rest = after;
    let network = Ipv4Cidr::new(network.into(), prefix).network();
    Some((network, Ipv4Addr::from_octets(*router)))
}

/// For how long a lease is good, from when on it is to be renewed, and from when on by any server
/// (RFC 2131, section 4.4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) renewal: Duration,
    pub(super) rebinding: Duration,
    pub(super) end: Duration,
}

impl Times {
    /// The times that a message tells; those that contradict each other are worked out from the
    /// lease's. None if it does not end.
    pub(super) fn read(message: &Message<'_>) -> Option<Self> {
        let end = message.seconds(code::LEASE_TIME);
        if end == Some(INFINITE) {
            return None;
        }
        let end = u64::from(end.unwrap_or(USUAL_TIME).max(LEAST_TIME)) * 1_000;
        let told = |code| message.seconds(code).map(|time| u64::from(time) * 1_000);
        let least = u64::from(LEAST_TIME) * 500;
        let rebinding = told(code::REBINDING_TIME);
        let rebinding = rebinding.filter(|time| (least + 1..end).contains(time));
        let rebinding = rebinding.unwrap_or(end / 8 * 7);
        let renewal = told(code::RENEWAL_TIME);
        let renewal = renewal.filter(|time| (least..rebinding).contains(time));
        let renewal = renewal.unwrap_or((end / 2).min(rebinding));
        let [renewal, rebinding, end] = [renewal, rebinding, end].map(Duration::from_millis);
        Some(Self {
            renewal,
            rebinding,
            end,
        })
    }
}
