//! The terminal of a virtual machine: its virtio console.

use super::virtio::{self, Identity};
use crate::{Env, TerminalError};
use alloc::string::ToString;
use fata_console::VirtioConsole;
use virtio_drivers::transport::DeviceType;

/// The virtio console.
pub type Terminal = VirtioConsole;

pub(crate) fn open(env: &Env) -> Result<Terminal, TerminalError> {
    let found = virtio::find(DeviceType::Console);
    let device = found
        .map_err(|error| TerminalError::Device(error.to_string()))?
        .ok_or(TerminalError::NoDevice)?;
    let event = device.interrupt.event;
    VirtioConsole::start::<Identity>(&env.tasks, device.transport, event)
        .map_err(|error| TerminalError::Device(error.to_string()))
}
