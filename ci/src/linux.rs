use crate::attached::Attached;
use crate::lab::{GUEST_IPV4, GUEST_MAC, Lab};
use crate::launch::TAP_BACKEND;
use crate::machine::Machine;
use crate::program::Program;
use crate::relay::Relay;
use std::ffi::OsString;

/// A Linux guest of the bench harness, on microvm with 64 MiB.
#[derive(Clone, Copy, Debug)]
pub struct Linux<'l> {
    /// The kernel's file.
    pub kernel: &'l str,
    /// The initramfs's file.
    pub initrd: &'l str,
    /// The server that its first process starts.
    pub server: &'l str,
}

impl Linux<'_> {
    /// Starts it on the lab's tap, with a disk.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(&self, _lab: &Lab, disk: &Attached) -> Program {
        let nic = format!("virtio-net-device,netdev=net0,mac={GUEST_MAC}");
        let mut words = ["-netdev", TAP_BACKEND, "-device", &nic]
            .map(OsString::from)
            .to_vec();
        words.extend(disk.qemu_arguments(0, Machine::Microvm, ""));
        self.start_with(words)
    }

    /// Starts it behind a relay.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start_behind(&self, relay: &Relay<'_>) -> Program {
        self.start_with(relay.qemu_arguments().map(OsString::from))
    }

    fn start_with(&self, devices: impl IntoIterator<Item = OsString>) -> Program {
        let mut words = Machine::Microvm.command();
        words.extend(
            ["-m", "64", "-kernel", self.kernel, "-initrd", self.initrd].map(OsString::from),
        );
        let line = format!(
            "console=ttyS0 quiet panic=-1 srv={} addr={GUEST_IPV4}/24",
            self.server
        );
        words.extend(["-append".into(), line.into()]);
        words.extend(devices);
        Program::start(&format!("{} on Linux", self.server), &words, true)
    }
}
