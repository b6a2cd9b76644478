use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use fata_net::Error;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use smoltcp::wire::{IpAddress, IpEndpoint, IpListenEndpoint, IpVersion};

/// The ports that a stack chooses from (RFC 6335, section 6).
const DYNAMIC_PORTS: core::ops::RangeInclusive<u16> = 49_152..=65_535;

/// The local addresses that a socket is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    /// `[::]`, all of both families.
    All,
    /// `0.0.0.0`, all of IPv4.
    AllIpv4,
    /// One address.
    Address(IpAddress),
}

impl Scope {
    pub(super) fn new(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) if address.is_unspecified() => Self::All,
            IpAddr::V4(address) if address.is_unspecified() => Self::AllIpv4,
            address => Self::Address(address.into()),
        }
    }

    /// The one address, if it is one.
    pub(super) fn address(self) -> Option<IpAddress> {
        match self {
            Self::Address(address) => Some(address),
            Self::All | Self::AllIpv4 => None,
        }
    }

    /// Tells whether packets to `address` belong to it.
    fn takes(self, address: IpAddress) -> bool {
        match self {
            Self::All => true,
            Self::AllIpv4 => address.version() == IpVersion::Ipv4,
            Self::Address(own) => own == address,
        }
    }

    /// Which of several scopes that take an address counts: the greatest.
    fn precision(self) -> u8 {
        match self {
            Self::All => 0,
            Self::AllIpv4 => 1,
            Self::Address(_) => 2,
        }
    }

    fn overlaps(self, other: Self) -> bool {
        match (self, other) {
            (Self::Address(address), other) | (other, Self::Address(address)) => {
                other.takes(address)
            }
            _ => true,
        }
    }
}

/// The ports of one protocol that sockets are bound to, with their scopes and the sockets'
/// keys, by port.
#[derive(Default)]
pub(super) struct Ports(Vec<(u16, Scope, usize)>);

impl Ports {
    fn bound(&self, port: u16) -> &[(u16, Scope, usize)] {
        let first = self.0.partition_point(|(bound, ..)| *bound < port);
        let rest = &self.0[first..];
        &rest[..rest.partition_point(|(bound, ..)| *bound == port)]
    }

    /// The socket that a packet to `local` belongs to: the most specific one.
    pub(super) fn lookup(&self, local: IpEndpoint) -> Option<usize> {
        let bound = self.bound(local.port);
        let fitting = bound.iter().filter(|(_, scope, _)| scope.takes(local.addr));
        fitting
            .max_by_key(|(_, scope, _)| scope.precision())
            .map(|(.., key)| *key)
    }

    /// Tells whether a socket with this scope could be bound to the port.
    pub(super) fn is_free(&self, port: u16, scope: Scope) -> bool {
        let mut bound = self.bound(port).iter();
        !bound.any(|(_, other, _)| scope.overlaps(*other))
    }

    /// The port for a socket that is to be bound to `local`, chosen if that is 0.
    pub(super) fn choose(&self, local: SocketAddr, random: &mut Random) -> Result<u16, Error> {
        let scope = Scope::new(local.ip());
        if local.port() == 0 {
            return random.port(|port| self.is_free(port, scope));
        }
        self.is_free(local.port(), scope)
            .then_some(local.port())
            .ok_or(Error::AddressInUse)
    }

    pub(super) fn insert(&mut self, port: u16, scope: Scope, key: usize) {
        let place = self.0.partition_point(|(bound, ..)| *bound <= port);
        self.0.insert(place, (port, scope, key));
    }

    pub(super) fn remove(&mut self, port: u16, scope: Scope) {
        self.0
            .retain(|(bound, other, _)| (*bound, *other) != (port, scope));
    }
}

/// The endpoint that smoltcp is to listen to.
pub(super) fn listen_endpoint(port: u16, scope: Scope) -> IpListenEndpoint {
    IpListenEndpoint {
        addr: scope.address(),
        port,
    }
}

/// Numbers that a stranger cannot guess from those before, for port numbers (RFC 6056,
/// section 3.3.2): ChaCha20, seeded from the program's random generator.
pub(super) struct Random(ChaCha20Rng);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(ChaCha20Rng::seed_from_u64(seed))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A random dynamic port that is free.
    pub(super) fn port(&mut self, is_free: impl Fn(u16) -> bool) -> Result<u16, Error> {
        let (first, last) = (*DYNAMIC_PORTS.start(), *DYNAMIC_PORTS.end());
        let count = last - first + 1;
        let start = (self.next() % u64::from(count)) as u16;
        (0..count)
            .map(|step| first + (start + step) % count)
            .find(|port| is_free(*port))
            .ok_or(Error::AddressInUse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::{Ipv4Addr, Ipv6Addr};

    const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
    const ALL_V4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    const ALL: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

    #[test]
    fn the_most_specific_socket_is_found() {
        let mut ports = Ports::default();
        ports.insert(80, Scope::new(V6), 1);
        ports.insert(80, Scope::new(ALL_V4), 2);
        ports.insert(81, Scope::new(ALL), 3);
        let find = |address: IpAddr, port| ports.lookup(IpEndpoint::new(address.into(), port));
        assert_eq!(find(V6, 80), Some(1));
        assert_eq!(find(V4, 80), Some(2));
        assert_eq!(find(V4, 81), Some(3));
        assert_eq!(find(V6, 81), Some(3));
        assert_eq!(find(V4, 82), None);
    }

    #[test]
    fn overlapping_scopes_conflict() {
        let mut ports = Ports::default();
        ports.insert(80, Scope::new(V4), 0);
        let free = |address| ports.is_free(80, Scope::new(address));
        assert!(free(V6));
        assert!(!free(V4) && !free(ALL_V4) && !free(ALL));
        assert!(!ports.is_free(
            80,
            Scope::new(Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped().into())
        ));
        assert!(ports.is_free(81, Scope::new(ALL)));
    }

    #[test]
    fn a_free_port_is_found_among_few() {
        let mut random = Random::new(7);
        assert_eq!(random.port(|port| port == 50_000), Ok(50_000));
        assert_eq!(random.port(|_| false), Err(Error::AddressInUse));
    }
}
