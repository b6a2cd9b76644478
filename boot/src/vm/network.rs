//! The network of a virtual machine: TCP/IP over its virtio-net device.

use super::virtio::{self, Identity, Transport};
use super::{entropy, heap};
use crate::{Args, ArgsError, Env, FromArgs, NetworkError};
use alloc::string::ToString;
use fata_net::{Config, LARGEST_FRAME, TcpIp, VirtioNet};
use virtio_drivers::transport::DeviceType;

/// The network stack.
pub type Stack = TcpIp;

/// A virtual machine's network has no boot arguments of its own.
#[derive(Clone)]
pub(crate) struct Options;

impl FromArgs for Options {
    fn from_args(_: &mut Args) -> Result<Self, ArgsError> {
        Ok(Self)
    }
}

pub(crate) async fn open(env: &Env, _: &Options, config: Config) -> Result<Stack, NetworkError> {
    let found = virtio::find(DeviceType::Network);
    let device = found
        .map_err(|error| NetworkError::Device(error.to_string()))?
        .ok_or(NetworkError::NoDevice)?;
    let event = device.interrupt.event;
    let card = VirtioNet::<Identity, Transport>::new(device.transport, event, large_buffers());
    let card = card.map_err(|error| NetworkError::Device(error.to_string()))?;
    let mut seed = [0; 8];
    entropy::fill_or_warn(&mut seed);
    let seed = u64::from_le_bytes(seed);
    Ok(TcpIp::start(&env.tasks, card, fitted(config), seed))
}

/// A machine with less memory than this gets small buffers.
const SMALL_MACHINE: usize = 8 << 20;
const SMALL_BUFFER: usize = 4 << 10;
/// What an HTTP server holds for a connection while it answers, beside the stack's
/// buffers, was measured as 9.5 KiB.
const APPLICATION_SHARE: usize = 10 << 10;

/// How many buffers of 64 KiB the network card may have for each direction: a 32nd of the
/// memory. A small machine has no use for them, as its connections' buffers are smaller.
fn large_buffers() -> u16 {
    const MOST: usize = 16;
    match heap::total().unwrap_or_default() {
        ..SMALL_MACHINE => 0,
        total => (total / 32 / LARGEST_FRAME).min(MOST) as u16,
    }
}

/// Lowers the bounds to what the heap has room for, so that connections run into a bound
/// and not into the end of memory.
fn fitted(config: Config) -> Config {
    let total = heap::total().unwrap_or_default();
    let mut config = config;
    if total < SMALL_MACHINE {
        config.receive_buffer = config.receive_buffer.min(SMALL_BUFFER);
        config.transmit_buffer = config.transmit_buffer.min(SMALL_BUFFER);
    }
    let connection = config.receive_buffer + config.transmit_buffer + APPLICATION_SHARE;
    let free = total.saturating_sub(heap::used());
    // An eighth stays free for what is not a connection.
    let affordable = (free - free / 8) / connection;
    config.max_connections = config.max_connections.min(affordable);
    log::debug!(
        target: "net",
        "at most {} connections of {connection} bytes",
        config.max_connections
    );
    config
}
