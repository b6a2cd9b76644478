use std::ffi::OsString;

/// QEMU with what every machine has: no video, and no devices but a serial line, which is QEMU's own.
pub const QEMU: [&str; 11] = [
    "qemu-system-x86_64",
    "-accel",
    "tcg",
    "-cpu",
    "max",
    "-nodefaults",
    "-no-user-config",
    "-display",
    "none",
    "-serial",
    "stdio",
];

/// Passes an image's exit status on; QEMU ends where the machine resets.
pub const DEBUG_EXIT: [&str; 3] = [
    "-no-reboot",
    "-device",
    "isa-debug-exit,iobase=0xf4,iosize=4",
];

/// A machine that QEMU emulates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// Small, with memory-mapped virtio.
    Microvm,
    /// A PC with PCI Express.
    Q35,
    /// A PC with PCI.
    Pc,
}

impl Machine {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Microvm, Self::Q35, Self::Pc];

    /// Its name in QEMU.
    pub fn name(self) -> &'static str {
        match self {
            Self::Microvm => "microvm",
            Self::Q35 => "q35",
            Self::Pc => "pc",
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Microvm => &[
                "-M",
                "microvm,acpi=off,pit=on,pic=on,rtc=on",
                "-global",
                "virtio-mmio.force-legacy=false",
            ],
            Self::Q35 => &["-M", "q35"],
            Self::Pc => &["-M", "pc"],
        }
    }

    /// QEMU as this machine, which tells its status.
    pub(crate) fn command(self) -> Vec<OsString> {
        let words = QEMU.iter().chain(self.arguments()).chain(&DEBUG_EXIT);
        words.map(OsString::from).collect()
    }

    pub(crate) fn nic(self) -> &'static str {
        match self {
            Self::Microvm => "virtio-net-device",
            Self::Q35 | Self::Pc => "virtio-net-pci",
        }
    }

    pub(crate) fn disk(self) -> &'static str {
        match self {
            Self::Microvm => "virtio-blk-device",
            Self::Q35 | Self::Pc => "virtio-blk-pci",
        }
    }
}
