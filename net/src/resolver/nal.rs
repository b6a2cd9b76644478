//! For crates that know `embedded-nal-async` and not Fata.

use super::{Family, ResolveError, Resolver};
use crate::Stack;
use core::net::IpAddr;
use embedded_nal_async::{AddrType, Dns};

impl<S: Stack> Dns for Resolver<S> {
    type Error = ResolveError;

    async fn get_host_by_name(
        &self,
        host: &str,
        addr_type: AddrType,
    ) -> Result<IpAddr, ResolveError> {
        let found = match addr_type {
            AddrType::IPv4 => self.lookup_family(host, Family::Ipv4).await?,
            AddrType::IPv6 => self.lookup_family(host, Family::Ipv6).await?,
            AddrType::Either => self.lookup(host).await?,
        };
        // The caller will try no other: more networks have IPv4.
        let mut all = found.as_slice().iter();
        let chosen = all.clone().find(|address| address.is_ipv4()).or(all.next());
        chosen.copied().ok_or(ResolveError::NoRecord)
    }

    async fn get_host_by_address(
        &self,
        addr: IpAddr,
        result: &mut [u8],
    ) -> Result<usize, ResolveError> {
        let name = self.reverse(addr).await?;
        let place = result.get_mut(..name.len());
        place
            .ok_or(ResolveError::BufferTooSmall)?
            .copy_from_slice(name.as_bytes());
        Ok(name.len())
    }
}
