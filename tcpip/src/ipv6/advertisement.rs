//! Router advertisements (RFC 4861, section 4.2).

use super::options::Options;
use core::net::Ipv6Addr;
use core::time::Duration;

/// Types of the options that count here.
const PREFIX: u8 = 3;
const MTU: u8 = 5;
const SERVERS: u8 = 25;

/// A router advertisement: what a router tells of itself and of its network.
#[derive(Clone, Copy, Debug)]
pub(super) struct Advertisement<'a> {
    /// How long the router is one to other networks from now on; zero if it is none.
    pub(super) lifetime: Duration,
    pub(super) preference: Preference,
    options: Options<'a>,
}

/// Which of several routers is to be used first (RFC 4191, section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Preference {
    Low,
    Medium,
    High,
}

/// An option of an advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RouterOption<'a> {
    /// The longest packet of the network, in bytes.
    Mtu(u32),
    Prefix(Prefix),
    /// Recursive name servers (RFC 8106, section 5.1).
    Servers {
        lifetime: Duration,
        addresses: &'a [[u8; 16]],
    },
}

/// The prefix of a network (RFC 4861, section 4.6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefix {
    /// An address whose first `length` bits count.
    pub(super) address: Ipv6Addr,
    pub(super) length: u8,
    /// True if its hosts are neighbors.
    pub(super) is_on_link: bool,
    /// True if hosts may give themselves addresses with it.
    pub(super) is_autonomous: bool,
    pub(super) valid: Duration,
    pub(super) preferred: Duration,
}

impl<'a> Advertisement<'a> {
    /// Reads an ICMPv6 message of type 134, from the type on.
    pub(super) fn parse(message: &'a [u8]) -> Option<Self> {
        let (header, options) = message.split_at_checked(16)?;
        Some(Self {
            lifetime: Duration::from_secs(u16::from_be_bytes([header[6], header[7]]).into()),
            preference: match header[5] >> 3 & 3 {
                1 => Preference::High,
                3 => Preference::Low,
                _ => Preference::Medium,
            },
            options: Options::new(options)?,
        })
    }

    /// The options that count here and have the length that they must have.
    pub(super) fn options(&self) -> impl Iterator<Item = RouterOption<'a>> {
        self.options.iter().filter_map(|(kind, data)| match kind {
            MTU if data.len() == 6 => Some(RouterOption::Mtu(word(data, 2)?)),
            PREFIX if data.len() == 30 => Some(RouterOption::Prefix(Prefix {
                length: data[0],
                is_on_link: data[1] & 0x80 != 0,
                is_autonomous: data[1] & 0x40 != 0,
                valid: seconds(data, 2)?,
                preferred: seconds(data, 6)?,
                address: Ipv6Addr::from(*data[14..].first_chunk()?),
            })),
            SERVERS => Some(RouterOption::Servers {
                lifetime: seconds(data, 2)?,
                addresses: data.get(6..)?.as_chunks().0,
            }),
            _ => None,
        })
    }
}

fn word(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*data.get(at..)?.first_chunk()?))
}

/// A lifetime. All ones stand for ever; 136 years are as good.
fn seconds(data: &[u8], at: usize) -> Option<Duration> {
    Some(Duration::from_secs(word(data, at)?.into()))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    const HEADER: [u8; 16] = [134, 0, 0, 0, 64, 0x08, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0];

    fn with(options: &[u8]) -> Vec<u8> {
        [&HEADER, options].concat()
    }

    #[test]
    fn all_is_read() {
        let mut bytes = with(&[1, 1, 2, 0, 0, 0, 0, 1, MTU, 1, 0, 0, 0, 0, 0x05, 0x78]);
        bytes.extend([
            PREFIX, 4, 64, 0xc0, 0, 0, 0x0e, 0x10, 0, 0, 0, 60, 0, 0, 0, 0,
        ]);
        let network = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0);
        bytes.extend(network.octets());
        bytes.extend([SERVERS, 3, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        bytes.extend(network.octets());
        let read = Advertisement::parse(&bytes).expect("it is whole");
        assert_eq!(read.lifetime, Duration::from_secs(1_800));
        assert_eq!(read.preference, Preference::High);
        let options: Vec<_> = read.options().collect();
        let prefix = Prefix {
            address: network,
            length: 64,
            is_on_link: true,
            is_autonomous: true,
            valid: Duration::from_secs(3_600),
            preferred: Duration::from_secs(60),
        };
        let servers = RouterOption::Servers {
            lifetime: Duration::from_secs(u64::from(u32::MAX)),
            addresses: &[network.octets()],
        };
        let expected = [
            RouterOption::Mtu(1_400),
            RouterOption::Prefix(prefix),
            servers,
        ];
        assert_eq!(options, expected);
    }

    #[test]
    fn options_of_no_length_or_cut_short_spoil_it_all() {
        assert!(Advertisement::parse(&with(&[])).is_some());
        for options in [
            &[1, 0, 0, 0, 0, 0, 0, 0][..],
            &[1, 2, 0, 0, 0, 0, 0, 0],
            &[1],
        ] {
            assert!(
                Advertisement::parse(&with(options)).is_none(),
                "{options:?}"
            );
        }
        assert!(Advertisement::parse(&HEADER[..15]).is_none());
    }

    #[test]
    fn options_of_another_length_are_passed_over() {
        for kind in [MTU, PREFIX, SERVERS] {
            let long = [&[kind, 3][..], &[7; 22]].concat();
            let bytes = with(&long);
            let read = Advertisement::parse(&bytes).expect("it is whole");
            assert_eq!(
                read.options().count(),
                usize::from(kind == SERVERS),
                "{kind}"
            );
        }
        let bytes = with(&[SERVERS, 1, 0, 0, 0, 0, 0, 1]);
        let read = Advertisement::parse(&bytes).expect("it is whole");
        let none = RouterOption::Servers {
            lifetime: Duration::from_secs(1),
            addresses: &[],
        };
        assert_eq!(read.options().next(), Some(none));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some(read) = Advertisement::parse(&bytes) {
                prop_assert!(read.options().count() * 8 <= bytes.len());
            }
        }
    }
}
