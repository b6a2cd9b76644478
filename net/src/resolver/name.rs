//! Host names as applications write them.

use super::ResolveError;
use alloc::rc::Rc;
use core::net::IpAddr;
use domain::base::name::{Label, ToLabelIter};
use domain::dep::octseq::Array;

/// A name in the form of the wire, with small letters.
pub(super) type Name = domain::base::Name<Rc<[u8]>>;

/// The longest name on the wire, in bytes (RFC 1035, section 2.3.4).
pub(super) const LONGEST_NAME: usize = 255;

/// The meaning of a host name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// It is an address itself.
    Address(IpAddr),
    /// This host (RFC 6761, section 6.3).
    Loopback,
    /// A name that is never asked for, as it cannot exist (RFC 6761, section 6.4).
    Invalid,
    /// A name to ask for.
    Name(Name),
}

impl Host {
    /// Understands `text`, with or without a dot at its end. Letters become small.
    pub(super) fn parse(text: &str) -> Result<Self, ResolveError> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let is_allowed =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if text == "." || !text.bytes().all(is_allowed) {
            return Err(ResolveError::InvalidName);
        }
        let name = domain::base::Name::<Array<LONGEST_NAME>>::from_chars(text.chars());
        let name = own(name.map_err(|_| ResolveError::InvalidName)?.as_slice())?;
        // The last label is the root's.
        let top = name.iter_labels().rev().nth(1).map(Label::as_slice);
        Ok(match top {
            Some(b"localhost") => Self::Loopback,
            Some(b"invalid") => Self::Invalid,
            _ => Self::Name(name),
        })
    }
}

/// The name under which an address's name is found (RFC 1035, section 3.5; RFC 3596,
/// section 2.5).
pub(super) fn reverse(address: IpAddr) -> Result<Name, ResolveError> {
    let name = domain::base::Name::<Array<LONGEST_NAME>>::reverse_from_addr(address);
    own(name.map_err(|_| ResolveError::InvalidName)?.as_slice())
}

/// A copy with small letters of a name in the form of the wire.
pub(super) fn own(wire: &[u8]) -> Result<Name, ResolveError> {
    // Lengths of labels are below 64, where no letters are.
    let small: Rc<[u8]> = wire.iter().map(u8::to_ascii_lowercase).collect();
    Name::from_octets(small).map_err(|_| ResolveError::InvalidName)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use core::net::{Ipv4Addr, Ipv6Addr};
    use proptest::prelude::*;
    use std::string::{String, ToString};

    fn wire(text: &str) -> Result<std::vec::Vec<u8>, ResolveError> {
        match Host::parse(text)? {
            Host::Name(name) => Ok(name.as_slice().to_vec()),
            other => panic!("{text} is {other:?}"),
        }
    }

    #[test]
    fn names_take_the_form_of_the_wire() {
        let expected = b"\x03www\x07example\x03org\0";
        for text in ["www.example.org", "www.example.org.", "WWW.eXample.ORG"] {
            assert_eq!(wire(text).as_deref(), Ok(&expected[..]), "{text}");
        }
        assert_eq!(wire("_a-1").as_deref(), Ok(&b"\x04_a-1\0"[..]));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let label = "a".repeat(63);
        let longest = [&label[..], &label, &label, &"a".repeat(61)].join(".");
        assert_eq!(longest.len(), 253);
        assert_eq!(wire(&longest).map(|wire| wire.len()), Ok(LONGEST_NAME));
        let too_long = [longest, "a".to_string()].concat();
        let long_label = "a".repeat(64);
        for text in [
            "",
            ".",
            "..",
            "a..b",
            ".a",
            "a b",
            "a\\.b",
            "bücher.example",
            "a/b",
        ] {
            assert_eq!(Host::parse(text), Err(ResolveError::InvalidName), "{text}");
        }
        for text in [too_long, long_label] {
            assert_eq!(Host::parse(&text), Err(ResolveError::InvalidName), "{text}");
        }
    }

    #[test]
    fn some_names_are_never_asked_for() {
        let v4 = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        assert_eq!(Host::parse("192.0.2.1"), Ok(Host::Address(v4)));
        assert_eq!(
            Host::parse("::1"),
            Ok(Host::Address(Ipv6Addr::LOCALHOST.into()))
        );
        for text in ["localhost", "LocalHost.", "a.localhost"] {
            assert_eq!(Host::parse(text), Ok(Host::Loopback), "{text}");
        }
        for text in ["invalid", "a.b.INVALID."] {
            assert_eq!(Host::parse(text), Ok(Host::Invalid), "{text}");
        }
        assert!(wire("localhost.example").is_ok());
    }

    #[test]
    fn addresses_have_names_too() {
        let v4 = reverse(Ipv4Addr::new(192, 0, 2, 1).into()).map(|name| name.to_string());
        assert_eq!(v4.as_deref(), Ok("1.2.0.192.in-addr.arpa"));
        let v6 = reverse(Ipv6Addr::LOCALHOST.into()).map(|name| name.to_string());
        let expected = ["1", &".0".repeat(31), ".ip6.arpa"].concat();
        assert_eq!(v6, Ok(expected));
    }

    proptest! {
        #[test]
        fn any_text_is_a_host_or_refused(text in ".{0,300}") {
            let _ = Host::parse(&text);
        }

        #[test]
        fn a_name_comes_through(text in "[a-z0-9_-]{1,63}(\\.[a-z][a-z0-9-]{0,20}){0,8}\\.example") {
            let host = Host::parse(&text);
            let Ok(Host::Name(name)) = host else {
                panic!("{text} is {host:?}");
            };
            prop_assert_eq!(name.to_string(), String::from(&text[..]));
        }
    }
}
