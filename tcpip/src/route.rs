//! Ways to IPv4 networks.

use core::net::Ipv4Addr;
use core::time::Duration;
use smoltcp::wire::Ipv4Cidr;

/// When to look again whether a neighbor was found.
pub(super) const NEIGHBOR_PAUSE: Duration = Duration::from_secs(1);

/// The way to an IPv4 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) network: Ipv4Cidr,
    /// None if its hosts are neighbors.
    pub(super) router: Option<Ipv4Addr>,
}

impl Route {
    /// The way to all networks.
    pub(super) fn default_through(router: Ipv4Addr) -> Self {
        Self {
            network: Ipv4Cidr::new(Ipv4Addr::UNSPECIFIED, 0),
            router: Some(router),
        }
    }
}

/// The way to an address: through the smallest network that it is in, the first of equals.
pub(super) fn route(routes: &[Route], remote: Ipv4Addr) -> Option<&Route> {
    let fitting = routes
        .iter()
        .filter(|route| route.network.contains_addr(&remote));
    fitting.rev().max_by_key(|route| route.network.prefix_len())
}
