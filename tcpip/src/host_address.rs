//! Which addresses a host can have.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr};

/// Why an address cannot be the one of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressError {
    /// It is nobody's, everybody's, a group's, or only good within a host.
    NotOfOneHost,
    /// It stands for the whole IPv4 network or for all of its hosts (RFC 1122, section 3.2.1.3),
    /// which have those in between.
    OfNetwork {
        /// The first address that a host can have.
        first: Ipv4Addr,
        /// The last one.
        last: Ipv4Addr,
    },
    /// All routers of the IPv6 network have it (RFC 4291, section 2.6.1).
    OfAllRouters,
    /// The router is given the address of this host.
    RouterIsHost,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOfOneHost => f.write_str(
                "this address cannot be the one of a host; give one of the network's that no \
                 other host has, or off",
            ),
            Self::OfNetwork { first, last } => write!(
                f,
                "this address stands for the whole network; give one from {first} to {last}"
            ),
            Self::OfAllRouters => f.write_str(
                "all routers of the network have this address; give one that does not end in zeros",
            ),
            Self::RouterIsHost => {
                f.write_str("the router has the address of this host; give the router's own")
            }
        }
    }
}

impl core::error::Error for AddressError {}

/// Checks that a host can have `address` in a network whose prefix has the length `prefix`: at
/// most 32, or 128 for IPv6.
///
/// # Errors
/// [`AddressError`] says why not, and which ones it can have.
pub fn check_host(address: IpAddr, prefix: u8) -> Result<(), AddressError> {
    if !is_of_one_host(address) {
        return Err(AddressError::NotOfOneHost);
    }
    match address {
        IpAddr::V4(address) => check_ipv4(address, prefix),
        IpAddr::V6(address) => {
            let host_bits = u128::MAX.checked_shr(prefix.into()).unwrap_or(0);
            // A network of two routers has no such address (RFC 6164).
            let is_anycast = prefix < 127 && address.to_bits() & host_bits == 0;
            (!is_anycast)
                .then_some(())
                .ok_or(AddressError::OfAllRouters)
        }
    }
}

fn check_ipv4(address: Ipv4Addr, prefix: u8) -> Result<(), AddressError> {
    let host_bits = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
    let host = address.to_bits() & host_bits;
    // A network of two hosts has no others (RFC 3021).
    if prefix >= 31 || (host != 0 && host != host_bits) {
        return Ok(());
    }
    let network = address.to_bits() & !host_bits;
    Err(AddressError::OfNetwork {
        first: Ipv4Addr::from_bits(network | 1),
        last: Ipv4Addr::from_bits(network | (host_bits - 1)),
    })
}

/// Checks that the host `own` can send to other networks through `router`, which may be outside
/// of the own network.
///
/// # Errors
/// [`AddressError`] says why not.
pub fn check_router(own: IpAddr, prefix: u8, router: IpAddr) -> Result<(), AddressError> {
    if router == own {
        return Err(AddressError::RouterIsHost);
    }
    // An IPv6 network's routers may be reached under the address of all of them.
    let is_near = match (own, router) {
        (IpAddr::V4(own), IpAddr::V4(router)) => {
            let difference = own.to_bits() ^ router.to_bits();
            difference.leading_zeros() >= prefix.into()
        }
        _ => false,
    };
    check_host(router, if is_near { prefix } else { 128 })
}

fn is_of_one_host(address: IpAddr) -> bool {
    let is_broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
    let is_special = address.is_unspecified() || address.is_multicast() || address.is_loopback();
    !(is_broadcast || is_special)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    fn check(text: &str) -> Result<(), AddressError> {
        let (address, prefix) = text.split_once('/').expect("an address and a prefix");
        check_host(
            address.parse().expect("an address"),
            prefix.parse().expect("a length"),
        )
    }

    #[test]
    fn hosts_have_the_addresses_between_the_first_and_the_last() {
        for text in [
            "10.9.0.1/24",
            "10.9.0.254/24",
            "10.9.1.0/23",
            "10.9.0.255/23",
            "10.9.0.0/31",
            "10.9.0.1/31",
            "10.9.0.0/32",
            "10.9.0.255/32",
            "1.2.3.4/0",
            "fd00::1/64",
            "fd00::/127",
            "fd00::/128",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        let range = |first: [u8; 4], last: [u8; 4]| {
            Err(AddressError::OfNetwork {
                first: first.into(),
                last: last.into(),
            })
        };
        for (text, expected) in [
            ("10.9.0.0/24", range([10, 9, 0, 1], [10, 9, 0, 254])),
            ("10.9.0.255/24", range([10, 9, 0, 1], [10, 9, 0, 254])),
            ("10.9.0.4/30", range([10, 9, 0, 5], [10, 9, 0, 6])),
            ("10.9.1.255/23", range([10, 9, 0, 1], [10, 9, 1, 254])),
            ("fd00::/64", Err(AddressError::OfAllRouters)),
            ("fd00:0:0:1::/63", Ok(())),
            ("0.0.0.0/24", Err(AddressError::NotOfOneHost)),
            ("127.0.0.1/8", Err(AddressError::NotOfOneHost)),
            ("224.0.0.1/24", Err(AddressError::NotOfOneHost)),
            ("255.255.255.255/32", Err(AddressError::NotOfOneHost)),
            ("::1/128", Err(AddressError::NotOfOneHost)),
            ("ff02::1/64", Err(AddressError::NotOfOneHost)),
        ] {
            assert_eq!(check(text), expected, "{text}");
        }
        let error = check("10.9.0.0/24").map_err(|error| error.to_string());
        assert!(error.is_err_and(|text| text.contains("10.9.0.1 to 10.9.0.254")));
    }

    #[test]
    fn a_router_is_another_host() {
        let own = IpAddr::from([10, 9, 0, 2]);
        for (prefix, router, is_right) in [
            (24, [10, 9, 0, 1], true),
            // Outside, as some clouds have it.
            (32, [10, 9, 0, 1], true),
            (24, [10, 8, 0, 0], true),
            (24, [10, 9, 0, 2], false),
            (24, [10, 9, 0, 0], false),
            (24, [10, 9, 0, 255], false),
            (24, [0, 0, 0, 0], false),
            (24, [224, 0, 0, 1], false),
        ] {
            let checked = check_router(own, prefix, router.into());
            assert_eq!(checked.is_ok(), is_right, "{router:?}");
        }
        let own = IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 2]);
        for (router, is_right) in [("fe80::1", true), ("fd00::", true), ("fd00::2", false)] {
            let checked = check_router(own, 64, router.parse().expect("an address"));
            assert_eq!(checked.is_ok(), is_right, "{router}");
        }
    }
}
