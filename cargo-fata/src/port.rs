//! Ports of TCP and UDP, as they are typed.

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

/// The protocol that a port belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Tcp,
    Udp,
}

impl Protocol {
    /// Splits `80/udp`; what names no protocol is TCP's.
    pub fn split(text: &str) -> Result<(&str, Self), &'static str> {
        match text.split_once('/') {
            None => Ok((text, Self::Tcp)),
            Some((ports, "tcp")) => Ok((ports, Self::Tcp)),
            Some((ports, "udp")) => Ok((ports, Self::Udp)),
            Some(_) => Err("the protocols are tcp and udp, such as 53/udp"),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// A port that a program serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    pub number: NonZeroU16,
    pub protocol: Protocol,
}

impl FromStr for Port {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, protocol) = Protocol::split(text)?;
        let number = number
            .parse()
            .map_err(|_| "a port is a number from 1 to 65535, such as 80 or 53/udp")?;
        Ok(Self { number, protocol })
    }
}

/// As OCI image configurations write it: `80/tcp`.
impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.protocol)
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
