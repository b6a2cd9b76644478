//! QEMU's command line, and what its exit status says about the guest.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use crate::arguments;
use crate::drives;
use crate::error::Error;
use crate::hardware::{Machine, MachineOptions, Network};
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
        return Err(Error::MacWithoutNic);
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
        let mut nic = format!("{},netdev=net0", device(machine, "net"));
        if let Some(mac) = &options.mac {
            nic.push_str(&format!(",mac={mac}"));
        }
        if machine != Machine::Microvm {
            // The NIC's own boot program would only take time and memory.
            nic.push_str(",romfile=");
        }
        self.option("-netdev", backend);
        self.option("-device", nic);
    }
}

/// The end of the guest's machine, in terms of this tool's exit status.
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

    /// The guest's mistake, if it crashed.
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

    use super::{Outcome, check, command_line};
    use crate::cli::{Cli, Command};
    use crate::error::Error;
    use crate::hardware::MachineOptions;

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
            Error::MacWithoutNic
        ));
        assert!(check(&options("--publish 1:1 --mac 52:54:00:00:00:01")).is_ok());
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
