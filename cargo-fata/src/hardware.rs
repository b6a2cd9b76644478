//! The hardware of a virtual machine, as it can be typed.

use std::ffi::OsString;
use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use fata_block::file::Attachment;

use crate::port::Protocol;

/// Longest name that Linux gives a network interface.
const INTERFACE_NAME_LENGTH: usize = 15;

/// Options that shape the virtual machine; a process has no use for them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options for virtual machines")]
pub struct MachineOptions {
    /// Machine to emulate [default: microvm]
    #[arg(long, value_enum)]
    pub machine: Option<Machine>,
    /// Memory of the machine, such as 16M or 1G [default: 32M]
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<Memory>,
    /// Network card: none, user (QEMU forwards published ports) or tap=INTERFACE
    /// [default: user with QEMU, else none]
    #[arg(long, value_name = "NETWORK")]
    pub net: Option<Network>,
    /// Attaches a file or block device as a disk, such as disk.img; with a name that the program
    /// asks for, data=disk.img; read-only, disk.img,ro; may be given several times
    #[arg(long, value_name = "[NAME=]FILE[,ro]")]
    pub disk: Vec<Attachment>,
    /// Hands a port of this computer (on 127.0.0.1) to a port of the program, such as 8080:80 or
    /// 5353:53/udp; may be given several times
    #[arg(long, value_name = "HOST:GUEST")]
    pub publish: Vec<Publish>,
    /// Hardware address of the NIC, such as 52:54:00:12:34:56 [default: QEMU's]
    #[arg(long, value_name = "ADDRESS", value_parser = parse_mac)]
    pub mac: Option<String>,
    /// Waits for a debugger on this port of 127.0.0.1 before the first instruction, and says how
    /// to attach one [port: 1234]
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "1234")]
    pub gdb: Option<NonZeroU16>,
    /// One more argument for QEMU itself; may be given several times
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    pub qemu_arg: Vec<OsString>,
}

impl MachineOptions {
    /// The first option that was given, if any was.
    pub fn first_given(&self) -> Option<&'static str> {
        [
            (self.machine.is_some(), "--machine"),
            (self.memory.is_some(), "--memory"),
            (self.net.is_some(), "--net"),
            (!self.disk.is_empty(), "--disk"),
            (!self.publish.is_empty(), "--publish"),
            (self.mac.is_some(), "--mac"),
            (self.gdb.is_some(), "--gdb"),
            (!self.qemu_arg.is_empty(), "--qemu-arg"),
        ]
        .into_iter()
        .find_map(|(given, name)| given.then_some(name))
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Machine {
    /// Small and quick to start, memory-mapped devices
    #[default]
    Microvm,
    /// A PC with PCI Express
    Q35,
    /// A PC with PCI
    Pc,
}

/// Memory of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    number: u32,
    unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Kibi,
    Mebi,
    Gibi,
}

impl Memory {
    /// Its size in bytes.
    pub fn bytes(self) -> u64 {
        let shift = match self.unit {
            Unit::Kibi => 10,
            Unit::Mebi => 20,
            Unit::Gibi => 30,
        };
        u64::from(self.number) << shift
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            number: 32,
            unit: Unit::Mebi,
        }
    }
}

impl FromStr for Memory {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let units = [('K', Unit::Kibi), ('M', Unit::Mebi), ('G', Unit::Gibi)];
        units
            .into_iter()
            .find_map(|(letter, unit)| Some((text.strip_suffix(letter)?, unit)))
            .filter(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|(number, unit)| {
                Some(Self {
                    number: number.parse().ok()?,
                    unit,
                })
            })
            .ok_or("a size is a number and K, M or G, such as 16M")
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = match self.unit {
            Unit::Kibi => 'K',
            Unit::Mebi => 'M',
            Unit::Gibi => 'G',
        };
        write!(f, "{}{letter}", self.number)
    }
}

/// The connection of the machine's NIC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// There is no card.
    None,
    /// QEMU's own network: a DHCP server, a way out, and published ports.
    #[default]
    User,
    /// The TAP interface of this name.
    Tap(String),
}

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_name = |name: &str| {
            (1..=INTERFACE_NAME_LENGTH).contains(&name.len())
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic() && !b",/=".contains(&byte))
        };
        match text {
            "none" => Ok(Self::None),
            "user" => Ok(Self::User),
            _ => match text.strip_prefix("tap=") {
                Some(name) if is_name(name) => Ok(Self::Tap(name.into())),
                Some(_) => Err("that is no name of an interface, such as tap=tap0"),
                None => Err("the networks are none, user and tap=INTERFACE"),
            },
        }
    }
}

/// A port of this computer that leads to a port of the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish {
    protocol: Protocol,
    host: u16,
    guest: u16,
}

impl FromStr for Publish {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (ports, protocol) = Protocol::split(text)?;
        let port = |text: &str| text.parse().ok().filter(|port| *port != 0);
        let (host, guest) = ports.split_once(':').unwrap_or_default();
        match (port(host), port(guest)) {
            (Some(host), Some(guest)) => Ok(Self {
                protocol,
                host,
                guest,
            }),
            _ => {
                Err("two ports from 1 to 65535, this computer's and the program's, such as 8080:80")
            }
        }
    }
}

impl fmt::Display for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "hostfwd={}:127.0.0.1:{}-:{}",
            self.protocol, self.host, self.guest
        )
    }
}

/// Checks the form of a hardware address.
pub fn parse_mac(text: &str) -> Result<String, &'static str> {
    let is_byte =
        |byte: &str| byte.len() == 2 && byte.bytes().all(|digit| digit.is_ascii_hexdigit());
    if text.split(':').count() == 6 && text.split(':').all(is_byte) {
        Ok(text.into())
    } else {
        Err("a hardware address is six bytes in hexadecimal, such as 52:54:00:12:34:56")
    }
}

#[cfg(test)]
mod tests {
    use super::{Memory, Network, parse_mac};

    #[test]
    fn values_are_checked() {
        for (text, bytes) in [("2048K", 2 << 20), ("16M", 16 << 20), ("1G", 1 << 30)] {
            let memory: Memory = text.parse().unwrap();
            assert_eq!((memory.bytes(), memory.to_string().as_str()), (bytes, text));
        }
        for text in ["", "M", "+1M", "16", "16m", "1,2M", "99999999999K"] {
            assert!(text.parse::<Memory>().is_err(), "{text}");
        }
        for text in ["tap=", "tap=a,b", "tap=0123456789abcdef", "tap", ""] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        for text in [
            "52:54:00:12:34",
            "52:54:00:12:34:5",
            "52:54:00:12:34:+6",
            "52:54:00:12:34:56:78",
        ] {
            assert!(parse_mac(text).is_err(), "{text}");
        }
    }
}
