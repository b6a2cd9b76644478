//! The network of a virtual machine: TCP/IP over its virtio-net device.

use super::virtio::{self, Identity, Transport};
use super::{entropy, heap};
use crate::{Args, ArgsError, Env, FromArgs, NetworkError};
use alloc::string::ToString;
use alloc::vec::Vec;
use core::net::IpAddr;
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

/// The name servers that the network has told.
pub(crate) fn name_servers(_: &Options, stack: &Stack) -> Vec<IpAddr> {
    stack.dns_servers()
}

/// A machine with less memory than this has no use for large buffers.
const SMALL_MACHINE: usize = 8 << 20;
/// What a connection holds beside its buffers: the stack's state of it, and what an HTTP
/// server holds while it answers, which was measured as 9.5 KiB.
const CONNECTION: usize = 11 << 10;
/// What a connection in TIME-WAIT costs, with what finds it.
const TIME_WAIT: usize = 256;

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
/// and not into the end of memory: half of it for what is in their buffers, the other half
/// for themselves, but for an eighth of all that is not a connection's.
fn fitted(config: Config) -> Config {
    let total = heap::total().unwrap_or_default();
    let free = total.saturating_sub(heap::used());
    let share = (free - free / 8) / 2;
    let config = Config {
        buffer_memory: config.buffer_memory.min(share),
        max_connections: config.max_connections.min(share / CONNECTION),
        max_time_wait: config.max_time_wait.min(share / 8 / TIME_WAIT),
        ..config
    };
    log::debug!(
        target: "net",
        "at most {} connections, {} bytes in their buffers",
        config.max_connections,
        config.buffer_memory
    );
    config
}
