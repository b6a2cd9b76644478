//! QEMU's command line, and what its exit status says about the guest.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::str::FromStr;

use crate::arguments;
use crate::cli::{Machine, MachineOptions};
use crate::drives;
use crate::error::Error;
use crate::port::Protocol;
use crate::programs;

/// The program that emulates a PC.
pub const PROGRAM: &str = "qemu-system-x86_64";

/// The guest sends its status XOR this, so that success is a status with which QEMU never ends by
/// itself.
const STATUS_MASK: u8 = 0x10;

/// Status of this tool when the guest left none.
const NO_STATUS: u8 = 1;

/// Status of a guest that panicked or caught a fault: `fata_boot::ExitStatus::PANIC`.
const PANIC_STATUS: u8 = 101;

/// Longest name that Linux gives a network interface.
const INTERFACE_NAME_LENGTH: usize = 15;

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

/// What the machine's network card is connected to.
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

/// Finds QEMU on PATH.
pub fn find() -> Result<PathBuf, Error> {
    programs::find(PROGRAM).ok_or(Error::QemuMissing(PROGRAM))
}

/// Refuses options that contradict each other.
pub fn check(options: &MachineOptions) -> Result<(), Error> {
    let network = options.net.clone().unwrap_or_default();
    if !options.publish.is_empty() && network != Network::User {
        return Err(Error::PublishWithoutUserNetwork);
    }
    if options.mac.is_some() && network == Network::None {
        return Err(Error::MacWithoutCard);
    }
    drives::check(&options.disk)
}

/// QEMU's arguments for a machine that boots `image` with the program's `program_arguments`.
pub fn command_line(
    options: &MachineOptions,
    use_kvm: bool,
    image: &Path,
    program_arguments: &[String],
) -> Vec<OsString> {
    let machine = options.machine.unwrap_or_default();
    let mut line = Line::default();
    line.words("-nodefaults -no-user-config -display none -serial stdio -no-reboot");
    line.words("-device isa-debug-exit,iobase=0xf4,iosize=4");
    line.words(match machine {
        // Without ACPI, QEMU announces the devices on the kernel's command line.
        Machine::Microvm => {
            "-M microvm,acpi=off,pit=on,pic=on,rtc=on -global virtio-mmio.force-legacy=false"
        }
        Machine::Q35 => "-M q35",
        Machine::Pc => "-M pc",
    });
    line.words(if use_kvm {
        "-accel kvm -cpu host"
    } else {
        "-accel tcg -cpu max"
    });
    line.option("-m", options.memory.unwrap_or_default().to_string());
    line.option("-device", device(machine, "rng"));
    line.network(options, machine);
    for (index, disk) in options.disk.iter().enumerate() {
        let (drive, device) = drives::arguments(disk, index, &device(machine, "blk"));
        line.option("-drive", drive);
        line.option("-device", device);
    }
    line.option("-kernel", image);
    line.option("-append", arguments::join(program_arguments));
    if let Some(port) = options.gdb {
        line.words("-S -gdb");
        line.0.push(format!("tcp:127.0.0.1:{port}").into());
    }
    line.0.extend(options.qemu_arg.iter().cloned());
    line.0
}

/// Name of a virtio device on the machine's bus.
fn device(machine: Machine, kind: &str) -> String {
    match machine {
        Machine::Microvm => format!("virtio-{kind}-device"),
        Machine::Q35 | Machine::Pc => format!("virtio-{kind}-pci,disable-legacy=on"),
    }
}

#[derive(Default)]
struct Line(Vec<OsString>);

impl Line {
    fn words(&mut self, words: &str) {
        self.0.extend(words.split_whitespace().map(OsString::from));
    }

    fn option(&mut self, name: &str, value: impl Into<OsString>) {
        self.0.push(name.into());
        self.0.push(value.into());
    }

    fn network(&mut self, options: &MachineOptions, machine: Machine) {
        let network = options.net.clone().unwrap_or_default();
        let mut backend = match network {
            Network::None => return,
            Network::User => "user,id=net0".to_owned(),
            Network::Tap(name) => format!("tap,id=net0,ifname={name},script=no,downscript=no"),
        };
        for publish in &options.publish {
            backend.push_str(&format!(",{publish}"));
        }
        let mut card = format!("{},netdev=net0", device(machine, "net"));
        if let Some(mac) = &options.mac {
            card.push_str(&format!(",mac={mac}"));
        }
        if machine != Machine::Microvm {
            // The card's own boot program would only take time and memory.
            card.push_str(",romfile=");
        }
        self.option("-netdev", backend);
        self.option("-device", card);
    }
}

/// What the guest's machine ended with, in terms of this tool's exit status.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The guest chose this status.
    Status(u8),
    /// The machine stopped, and the guest chose none.
    Stopped,
    /// The guest chose none; this is why.
    Failure(&'static str),
}

impl Outcome {
    /// Reads QEMU's exit status: isa-debug-exit turns a value v into 2v + 1.
    pub fn of(status: ExitStatus) -> Self {
        match status.code().and_then(|code| u8::try_from(code).ok()) {
            None => Self::Failure("QEMU was killed"),
            Some(1) => Self::Failure("QEMU failed; its message is above"),
            Some(code) if code % 2 == 1 => Self::Status((code >> 1) ^ STATUS_MASK),
            Some(0) => Self::Stopped,
            Some(_) => Self::Failure("QEMU ended in a way that no guest asks for"),
        }
    }

    /// The exit status for this tool.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Status(status) => *status,
            Self::Stopped | Self::Failure(_) => NO_STATUS,
        }
    }

    /// Why the guest chose no status.
    pub fn failure(&self) -> Option<&'static str> {
        match self {
            Self::Status(_) => None,
            Self::Stopped => {
                Some("the machine stopped without a status (triple fault, reset or power-off?)")
            }
            Self::Failure(reason) => Some(reason),
        }
    }

    /// What the guest did wrong, if it crashed.
    pub fn crash(&self) -> Option<&'static str> {
        match self {
            Self::Status(PANIC_STATUS) => Some("a panic or a fault; the console says more"),
            Self::Stopped => self.failure(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::path::Path;
    use std::process::ExitStatus;

    use clap::Parser;

    use super::{Memory, Network, Outcome, check, command_line, parse_mac};
    use crate::cli::{Cli, Command, MachineOptions};
    use crate::error::Error;

    fn options(words: &str) -> MachineOptions {
        let words = format!("cargo-fata run {words}");
        match Cli::try_parse_from(words.split_whitespace())
            .unwrap()
            .command
        {
            Command::Run(options) => options.machine,
            _ => unreachable!(),
        }
    }

    fn line(words: &str) -> String {
        let arguments = ["--hello".to_owned(), "two words".to_owned()];
        let line = command_line(&options(words), false, Path::new("a.elf"), &arguments);
        line.join(" ".as_ref()).into_string().unwrap()
    }

    #[test]
    fn microvm_is_the_default() {
        let line = line("");
        for part in [
            "-M microvm,acpi=off,pit=on,pic=on,rtc=on -global virtio-mmio.force-legacy=false ",
            "-accel tcg -cpu max -m 32M -device virtio-rng-device ",
            "-netdev user,id=net0 -device virtio-net-device,netdev=net0 ",
        ] {
            assert!(line.contains(part), "{line}");
        }
        assert!(
            line.ends_with(r#"-kernel a.elf -append --hello "two words""#),
            "{line}"
        );
    }

    #[test]
    fn options_reach_qemu() {
        let line = line(
            "--machine q35 --memory 16M --mac 52:54:00:00:00:01 --publish 8080:80 --publish 53:5353/udp --gdb=4321 --qemu-arg -S",
        );
        let network = "-netdev user,id=net0,hostfwd=tcp:127.0.0.1:8080-:80,hostfwd=udp:127.0.0.1:53-:5353 \
             -device virtio-net-pci,disable-legacy=on,netdev=net0,mac=52:54:00:00:00:01,romfile= ";
        for part in [
            "-M q35 ",
            "-m 16M ",
            "-device virtio-rng-pci,disable-legacy=on ",
            network,
            " -S -gdb tcp:127.0.0.1:4321 ",
        ] {
            assert!(line.contains(part), "{line}");
        }
        assert!(line.ends_with(" -S"), "{line}");
    }

    #[test]
    fn networks_other_than_the_users() {
        let tap = line("--net tap=tap0");
        assert!(
            tap.contains("-netdev tap,id=net0,ifname=tap0,script=no,downscript=no "),
            "{tap}"
        );
        assert!(!line("--net none").contains("net0"));
        let refused = |words| check(&options(words)).unwrap_err();
        assert!(matches!(
            refused("--net tap=tap0 --publish 1:1"),
            Error::PublishWithoutUserNetwork
        ));
        assert!(matches!(
            refused("--net none --mac 52:54:00:00:00:01"),
            Error::MacWithoutCard
        ));
        assert!(check(&options("--publish 1:1 --mac 52:54:00:00:00:01")).is_ok());
    }

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

    #[test]
    fn exit_status_is_the_guests() {
        let outcome = |code: i32| Outcome::of(ExitStatus::from_raw(code << 8));
        assert_eq!(outcome(33), Outcome::Status(0));
        for status in (0..=127).filter(|status| *status != 16) {
            let sent = (status ^ 0x10) & 0x7f;
            assert_eq!(outcome(i32::from(sent) << 1 | 1), Outcome::Status(status));
        }
        for code in [0, 1, 2, 134] {
            assert_eq!(outcome(code).exit_status(), 1, "{code}");
            assert!(outcome(code).failure().is_some());
            assert_eq!(outcome(code).crash().is_some(), code == 0);
        }
        let panicked = Outcome::Status(fata_boot::ExitStatus::PANIC.0);
        assert!(panicked.crash().is_some());
        assert_eq!(Outcome::Status(1).crash(), None);
        // Killed by a signal.
        assert!(matches!(
            Outcome::of(ExitStatus::from_raw(9)),
            Outcome::Failure(_)
        ));
    }
}
