//! The common ground of Firecracker and Cloud Hypervisor: they run on KVM only, have one kind of
//! machine, and NICs only on TAP interfaces.

use std::fs::OpenOptions;
use std::path::PathBuf;

use crate::error::Error;
use crate::hardware::{MachineOptions, Memory, Network};
use crate::programs;

/// A machine as these monitors can make it.
#[derive(Debug, PartialEq, Eq)]
pub struct Machine {
    /// Memory in MiB.
    pub memory: u64,
    /// The NIC, if there is one.
    pub nic: Option<Nic>,
}

/// A NIC.
#[derive(Debug, PartialEq, Eq)]
pub struct Nic {
    /// Name of the TAP interface behind it.
    pub interface: String,
    /// Its hardware address, where the monitor does not choose one.
    pub mac: Option<String>,
}

impl Machine {
    /// The machine that `options` describe, unless `monitor` cannot make that.
    pub fn new(options: &MachineOptions, monitor: &'static str) -> Result<Self, Error> {
        let only_qemu = [
            (options.machine.is_some(), "--machine"),
            (options.gdb.is_some(), "--gdb"),
            (!options.disk.is_empty(), "--disk"),
            (!options.qemu_arg.is_empty(), "--qemu-arg"),
        ];
        if let Some((_, option)) = only_qemu.into_iter().find(|(given, _)| *given) {
            return Err(Error::OnlyQemu { option, monitor });
        }
        if !options.publish.is_empty() {
            return Err(Error::NoUserNetwork { monitor });
        }
        let nic = match options.net.clone().unwrap_or(Network::None) {
            Network::User => return Err(Error::NoUserNetwork { monitor }),
            Network::None if options.mac.is_some() => return Err(Error::MacWithoutNic),
            Network::None => None,
            Network::Tap(interface) => Some(Nic {
                interface,
                mac: options.mac.clone(),
            }),
        };
        Ok(Self {
            memory: mebibytes(options.memory.unwrap_or_default()),
            nic,
        })
    }
}

/// Whole MiB, in which both monitors count.
fn mebibytes(memory: Memory) -> u64 {
    memory.bytes().div_ceil(1 << 20)
}

/// Finds a monitor that can run here.
pub fn find(monitor: &'static str) -> Result<PathBuf, Error> {
    let program = programs::find(monitor).ok_or(Error::MonitorMissing(monitor))?;
    OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/kvm")
        .map_err(|source| Error::NoKvm { monitor, source })?;
    Ok(program)
}

#[cfg(test)]
pub mod tests {
    use clap::Parser;

    use super::{Machine, Nic};
    use crate::cli::{Cli, Command};
    use crate::error::Error;

    /// The machine of a command line.
    pub fn machine(words: &str) -> Result<Machine, Error> {
        let words = format!("cargo-fata run {words}");
        match Cli::try_parse_from(words.split_whitespace())
            .unwrap()
            .command
        {
            Command::Run(options) => Machine::new(&options.machine, "firecracker"),
            _ => unreachable!(),
        }
    }

    #[test]
    fn memory_is_counted_in_mebibytes() {
        for (size, memory) in [("16M", 16), ("1G", 1024), ("1K", 1), ("2049K", 3)] {
            let found = machine(&format!("--memory {size}")).unwrap();
            assert_eq!(found, Machine { memory, nic: None });
        }
        assert_eq!(machine("").unwrap().memory, 32);
    }

    #[test]
    fn nics_are_on_taps() {
        let nic = machine("--net tap=tap0 --mac 52:54:00:00:00:01")
            .unwrap()
            .nic;
        let (interface, mac) = ("tap0".to_owned(), Some("52:54:00:00:00:01".to_owned()));
        assert_eq!(nic, Some(Nic { interface, mac }));
        assert_eq!(machine("--net none").unwrap().nic, None);
    }

    #[test]
    fn what_only_qemu_has_is_refused() {
        for (words, option) in [
            ("--machine q35", "--machine"),
            ("--gdb", "--gdb"),
            ("--disk a.img", "--disk"),
            ("--qemu-arg -S", "--qemu-arg"),
        ] {
            let error = machine(words).unwrap_err();
            assert!(error.to_string().starts_with(option), "{error}");
        }
        for words in [
            "--net user",
            "--publish 8080:80",
            "--net tap=tap0 --publish 1:1",
        ] {
            let error = machine(words).unwrap_err();
            assert!(matches!(error, Error::NoUserNetwork { .. }), "{words}");
            assert!(error.to_string().contains("--net tap=tap0"), "{error}");
        }
        let error = machine("--mac 52:54:00:00:00:01").unwrap_err();
        assert!(matches!(error, Error::MacWithoutNic));
    }
}
