//! Why there is no lease.

use crate::host_address::AddressError;
use core::fmt;
use core::net::Ipv4Addr;

/// Fault of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Fault {
    /// It does not say what it is.
    Kind,
    /// The address is no host's.
    Address(Ipv4Addr, AddressError),
    /// The mask of the network is none.
    Mask(Ipv4Addr),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind => f.write_str("an answer without a message type (option 53)"),
            Self::Address(address, error) => write!(f, "{address}: {error}"),
            Self::Mask(mask) => write!(f, "the mask {mask}, whose ones are not all at its start"),
        }
    }
}

/// How far the client has come without a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Trouble {
    /// Nobody answers.
    Silence,
    /// A server offers what cannot be taken.
    Offer(Ipv4Addr, Fault),
    /// A server refuses what it has offered.
    Refusal(Ipv4Addr),
    /// A server does not say whether it lends what it has offered.
    NoAnswer(Ipv4Addr),
    /// Another host has the address that a server lends.
    Conflict(Ipv4Addr),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silence => f.write_str("no DHCP server answers"),
            Self::Offer(server, fault) => {
                write!(
                    f,
                    "the DHCP server {server} has to be set right, it sends {fault}"
                )
            }
            Self::Refusal(server) => {
                write!(
                    f,
                    "the DHCP server {server} refuses what it has offered (NAK)"
                )
            }
            Self::NoAnswer(server) => {
                write!(
                    f,
                    "the DHCP server {server} does not confirm what it has offered"
                )
            }
            Self::Conflict(address) => write!(
                f,
                "another host has the address {address} that the DHCP server lends; it is given \
                 back"
            ),
        }
    }
}
