//! The network of a virtual machine: TCP/IP over its virtio-net device.

use super::virtio::{self, Identity};
use super::{entropy, heap};
use crate::{Args, ArgsError, Env, FromArgs, NetworkError};
use alloc::string::ToString;
use alloc::vec::Vec;
use core::net::IpAddr;
use fata_net::{Config, LARGEST_FRAME, TcpIp, VirtioNet};
use virtio_drivers::transport::DeviceType;

/// The network stack.
pub type Stack = TcpIp;

/// The boot arguments of a virtual machine's network.
#[derive(Clone)]
pub(crate) struct Options {
    halt_at_once: bool,
}

impl FromArgs for Options {
    fn from_args(args: &mut Args) -> Result<Self, ArgsError> {
        let help = "do not look for the next frame for a moment before the processor halts";
        Ok(Self {
            halt_at_once: args.flag("halt-at-once", help)?,
        })
    }
}

pub(crate) async fn open(
    env: &Env,
    options: &Options,
    config: Config,
    is_given: bool,
) -> Result<Stack, NetworkError> {
    let found = virtio::find(DeviceType::Network);
    let device = found
        .map_err(|error| NetworkError::Device(error.to_string()))?
        .ok_or(NetworkError::NoDevice)?;
    let event = device.interrupt.event;
    let card = VirtioNet::new::<Identity>(device.transport, event, large_buffers());
    let mut card = card.map_err(|error| NetworkError::Device(error.to_string()))?;
    if options.halt_at_once {
        card.halt_at_once();
    }
    let mut seed = [0; 8];
    entropy::fill_or_warn(&mut seed);
    let seed = u64::from_le_bytes(seed);
    Ok(TcpIp::start_on_card(
        &env.tasks,
        card,
        fitted(config, is_given),
        seed,
    ))
}

/// The name servers that the network has told.
pub(crate) fn name_servers(_: &Options, stack: &Stack) -> Vec<IpAddr> {
    stack.dns_servers()
}

/// A machine with less memory than this has no use for large buffers.
const SMALL_MACHINE: usize = 8 << 20;
/// What a connection holds beside its buffers while an HTTP server answers, and while it is
/// idle: measured as 9.5 and 4.6 KiB, with the stack's own state of it.
const BUSY: usize = 11 << 10;
const IDLE: usize = 4_864;
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
/// and not into the end of memory. An eighth stays free for what is not a connection's.
///
/// By default half of the rest is for buffers, and half for connections all of which may be
/// busy. Who asks for a number of connections gets it if they fit while most are idle.
fn fitted(config: Config, is_given: bool) -> Config {
    let total = heap::total().unwrap_or_default();
    let free = total.saturating_sub(heap::used());
    let budget = free - free / 8;
    let most = if is_given {
        budget / IDLE
    } else {
        budget / 2 / BUSY
    };
    let max_connections = config.max_connections.min(most);
    let left = budget.saturating_sub(max_connections * if is_given { IDLE } else { BUSY });
    let config = Config {
        buffer_memory: config.buffer_memory.min(left.max(budget / 8)),
        max_connections,
        max_time_wait: config.max_time_wait.min(budget / 16 / TIME_WAIT),
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
