//! Ports that a program serves, as a container image declares them.

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

/// A port and its protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    pub number: NonZeroU16,
    pub protocol: Protocol,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Tcp,
    Udp,
}

impl FromStr for Port {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, protocol) = match text.split_once('/') {
            None => (text, Protocol::Tcp),
            Some((number, "tcp")) => (number, Protocol::Tcp),
            Some((number, "udp")) => (number, Protocol::Udp),
            Some(_) => return Err("the protocols are tcp and udp, such as 53/udp"),
        };
        let number = number
            .parse()
            .map_err(|_| "a port is a number from 1 to 65535, such as 80 or 53/udp")?;
        Ok(Self { number, protocol })
    }
}

/// As OCI image configurations write it: `80/tcp`.
impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        write!(f, "{}/{protocol}", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::Port;

    #[test]
    fn ports_are_checked() {
        for (text, shown) in [("80", "80/tcp"), ("80/tcp", "80/tcp"), ("53/udp", "53/udp")] {
            assert_eq!(text.parse::<Port>().unwrap().to_string(), shown);
        }
        for text in ["", "0", "65536", "http", "80/sctp", "/udp"] {
            assert!(text.parse::<Port>().is_err(), "{text}");
        }
    }
}
