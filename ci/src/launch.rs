use crate::attached::Attached;
use crate::files::{debug_binary, image};
use crate::lab::{GUEST_IPV4, GUEST_MAC, Lab};
use crate::machine::Machine;
use crate::program::Program;
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// Where a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// As a virtual machine.
    Machine(Machine),
    /// As an ordinary process.
    Process,
}

impl Platform {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Machine(Machine::Microvm),
        Self::Machine(Machine::Q35),
        Self::Machine(Machine::Pc),
        Self::Process,
    ];
}

/// The network of a virtual machine. A process has that of the lab, or of whoever starts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// No NIC.
    None,
    /// A NIC on the lab's tap, the address given as an argument.
    Tap,
    /// The same without the argument: the program finds its address out, or others give it.
    BareTap,
    /// A NIC on QEMU's own network, which has a DHCP server: this port of 127.0.0.1 leads to
    /// the guest's port 80.
    User(u16),
}

/// The firmware that a machine's processor starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firmware {
    /// SeaBIOS, QEMU's own.
    Bios,
    /// UEFI: OVMF.
    Uefi,
}

impl Firmware {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Bios, Self::Uefi];

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Bios => &[],
            Self::Uefi => &["-bios", "/usr/share/ovmf/OVMF.fd"],
        }
    }
}

/// How a file is attached for a firmware to start from it. Nothing is written to the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    /// A CD in a SATA drive.
    Cd,
    /// A SATA disk.
    Sata,
    /// A virtio disk in the format that `qemu-img` calls so.
    Virtio(&'static str),
}

impl Disk {
    fn arguments(self, file: &Path) -> [OsString; 4] {
        let (device, format) = match self {
            Self::Cd => ("ide-cd", "raw"),
            Self::Sata => ("ide-hd", "raw"),
            Self::Virtio(format) => ("virtio-blk-pci", format),
        };
        let mut drive =
            OsString::from(format!("if=none,id=boot,snapshot=on,format={format},file="));
        drive.push(file);
        let device = format!("{device},drive=boot");
        ["-drive".into(), drive, "-device".into(), device.into()]
    }
}

/// A program to be started: what, where, with which arguments.
#[derive(Clone)]
pub struct Launch {
    name: String,
    image: Option<PathBuf>,
    /// How it is started if not by QEMU itself.
    disk: Option<(Disk, Firmware)>,
    platform: Platform,
    memory: u32,
    network: Network,
    attached: Vec<Attached>,
    device_options: String,
    arguments: Vec<String>,
    qemu_arguments: Vec<String>,
}

impl Launch {
    /// The program `name`, without a network.
    pub fn new(name: &str, platform: Platform) -> Self {
        Self {
            name: name.to_owned(),
            image: None,
            disk: None,
            platform,
            memory: 64,
            network: Network::None,
            attached: Vec::new(),
            device_options: String::new(),
            arguments: Vec::new(),
            qemu_arguments: Vec::new(),
        }
    }

    /// Takes this file in place of the usual image or binary.
    pub fn file(mut self, path: &Path) -> Self {
        self.image = Some(path.to_owned());
        self
    }

    /// Has a firmware start the file of [`file`](Self::file), which is a disk that holds the
    /// arguments.
    pub fn disk(mut self, disk: Disk, firmware: Firmware) -> Self {
        self.disk = Some((disk, firmware));
        self
    }

    /// The memory of a virtual machine in MiB.
    pub fn memory(mut self, mebibytes: u32) -> Self {
        self.memory = mebibytes;
        self
    }

    /// The network of a virtual machine.
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// Attaches a disk for the program, one more with each call.
    pub fn attach(mut self, disk: Attached) -> Self {
        self.attached.push(disk);
        self
    }

    /// Gives NIC and disks these options of QEMU, each after a comma.
    pub fn device_options(mut self, options: &str) -> Self {
        self.device_options = options.to_owned();
        self
    }

    /// Adds arguments for the program.
    pub fn arguments<S: Into<String>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Adds arguments for QEMU.
    pub fn qemu_arguments<S: Into<String>>(
        mut self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Self {
        self.qemu_arguments
            .extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// If it was not built or cannot be started.
    pub fn start(&self) -> Program {
        match self.platform {
            Platform::Machine(machine) => {
                let name = format!("{} on {machine:?}", self.name);
                Program::start(&name, &self.qemu_command(machine), true)
            }
            Platform::Process => {
                let file = self
                    .image
                    .clone()
                    .unwrap_or_else(|| debug_binary(&self.name));
                let mut words = vec![OsString::from(file)];
                words.extend(self.attached.iter().map(Attached::process_argument));
                words.extend(self.arguments.iter().map(OsString::from));
                Program::start(&format!("{} as a process", self.name), &words, false)
            }
        }
    }

    /// Starts it on the lab's network, as a virtual machine on its tap. Returns it with the
    /// address where it serves.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub fn start_in(mut self, lab: &Lab) -> (Program, IpAddr) {
        if self.platform == Platform::Process {
            return (self.start(), lab.loopback());
        }
        self.network = Network::Tap;
        (self.start(), IpAddr::V4(GUEST_IPV4))
    }

    fn qemu_command(&self, machine: Machine) -> Vec<OsString> {
        let mut words = machine.command();
        words.extend(["-m".into(), self.memory.to_string().into()]);
        let file = self.image.clone().unwrap_or_else(|| image(&self.name));
        match self.disk {
            None => {
                words.extend(["-kernel".into(), file.into()]);
                words.extend(["-append".into(), self.command_line().into()]);
            }
            Some((disk, firmware)) => {
                words.extend(firmware.arguments().iter().map(OsString::from));
                words.extend(disk.arguments(&file));
            }
        }
        // A bus comes before what is connected to it.
        words.extend(self.qemu_arguments.iter().map(OsString::from));
        words.extend(self.network_arguments(machine).map(OsString::from));
        for (index, disk) in self.attached.iter().enumerate() {
            words.extend(disk.qemu_arguments(index, machine, &self.device_options));
        }
        words
    }

    fn network_arguments(&self, machine: Machine) -> impl Iterator<Item = String> {
        let backend = match self.network {
            Network::None => None,
            Network::Tap | Network::BareTap => Some(TAP_BACKEND.to_owned()),
            Network::User(port) => Some(format!("user,id=net0,hostfwd=tcp:127.0.0.1:{port}-:80")),
        };
        let nic = machine.nic();
        backend.into_iter().flat_map(move |backend| {
            let options = &self.device_options;
            let nic = format!("{nic},netdev=net0,mac={GUEST_MAC}{options}");
            ["-netdev".to_owned(), backend, "-device".to_owned(), nic]
        })
    }

    /// The program's arguments as one string, split again by the image at blanks.
    fn command_line(&self) -> String {
        let address = match self.network {
            Network::Tap => &TAP_ARGUMENTS[..],
            Network::None | Network::BareTap | Network::User(_) => &[],
        };
        let words: Vec<&str> = address
            .iter()
            .copied()
            .chain(self.arguments.iter().map(String::as_str))
            .collect();
        let plain = |word: &&str| !word.is_empty() && !word.contains([' ', '"', '\'', '\\']);
        assert!(
            words.iter().all(plain),
            "the harness does not quote: {words:?}"
        );
        words.join(" ")
    }
}

/// The lab's tap as a network of QEMU.
pub(crate) const TAP_BACKEND: &str = "tap,id=net0,ifname=tap0,script=no,downscript=no";

/// The boot arguments of a guest on the lab's tap: [`GUEST_IPV4`] and [`crate::GUEST_IPV6`].
pub const TAP_ARGUMENTS: [&str; 3] = [
    "--ipv4=198.51.100.2/24",
    "--ipv4-gateway=198.51.100.1",
    "--ipv6=fd00:198:51:100::2/64",
];
