use alloc::string::String;
use core::fmt;

/// The terminal of this platform: the virtual machine's virtio console; in a process the
/// standard input and output.
pub use crate::platform::terminal::Terminal;

/// Why there is no terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TerminalError {
    /// The machine has no virtio console.
    NoDevice,
    /// The virtio console cannot be used; the message says why.
    Device(String),
}

impl fmt::Display for TerminalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDevice => f.write_str(
                "no virtio console; give the machine one: for QEMU, -device \
                 virtio-serial-device (microvm) or virtio-serial-pci, and -device virtconsole",
            ),
            Self::Device(message) => f.write_str(message),
        }
    }
}

impl core::error::Error for TerminalError {}
