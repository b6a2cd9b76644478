use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

/// The addresses of a host: at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    addresses: Vec<IpAddr>,
    ttl: Duration,
}

impl Addresses {
    pub(super) fn new(addresses: &[IpAddr], ttl: Duration) -> Self {
        Self {
            addresses: addresses.to_vec(),
            ttl,
        }
    }

    /// An address that is known without asking.
    pub(super) fn lasting(address: IpAddr) -> Self {
        Self::new(&[address], Duration::MAX)
    }

    /// Both, the other ones last.
    pub(super) fn merged(mut self, other: Self) -> Self {
        self.addresses.extend(other.addresses);
        self.ttl = self.ttl.min(other.ttl);
        self
    }

    /// The addresses in the servers' order, those of IPv6 first.
    pub fn as_slice(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// For how long they are good: [`Duration::MAX`] if that does not end.
    pub fn ttl(&self) -> Duration {
        self.ttl
    }
}
