//! The network of a virtual machine: TCP/IP over its virtio-net device.

use super::virtio::{self, Identity};
use super::{entropy, heap};
use crate::{Args, ArgsError, Env, FromArgs, NetworkError};
use alloc::string::ToString;
use alloc::vec::Vec;
use core::mem;
use core::net::IpAddr;
use fata_memory::Part;
use fata_net::{LARGEST_FRAME, VirtioNet};
use fata_tcpip::{Config, TcpIp};
use virtio_drivers::transport::DeviceType;

/// The network stack.
pub type Stack = TcpIp;

/// The boot arguments of a virtual machine's network.
#[derive(Clone)]
pub(crate) struct Options {
    no_busy_poll: bool,
}

impl FromArgs for Options {
    fn from_args(args: &mut Args) -> Result<Self, ArgsError> {
        let help = "do not busy-poll for the next frame before the processor halts";
        Ok(Self {
            no_busy_poll: args.flag("no-busy-poll", help)?,
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
    let nic = VirtioNet::new::<Identity>(device.transport, event, large_buffers());
    let mut nic = nic.map_err(|error| NetworkError::Device(error.to_string()))?;
    if options.no_busy_poll {
        nic.disable_busy_poll();
    }
    let mut seed = [0; 8];
    entropy::fill_or_warn(&mut seed);
    let seed = u64::from_le_bytes(seed);
    Ok(TcpIp::start_on_nic(
        &env.tasks,
        nic,
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
/// The bytes that the stack holds of a connection beside its buffers.
const CONNECTION: usize = 768;
/// The bytes that one is expected to take in stack and server, its buffers being the smallest.
const BUSY: usize = CONNECTION + 8 * 1024;
/// The bytes that one takes that is half open or in TIME-WAIT, with its place in the tables.
const ENTRY: usize = 192;
/// Connections that wait to be accepted for each that may be open. A crowd waits in order: who is
/// turned away at the door tries again at longer and longer intervals.
const WAITING: usize = 2;

/// How many buffers of 64 KiB the NIC may have for each direction: a 32nd of the
/// memory. A small machine has no use for them, as its connections' buffers are smaller.
fn large_buffers() -> u16 {
    const MOST: usize = 16;
    match heap::total().unwrap_or_default() {
        ..SMALL_MACHINE => 0,
        total => (total / 32 / LARGEST_FRAME).min(MOST) as u16,
    }
}

/// Lowers the bounds to what memory has room for, so that connections run into a bound and not
/// into the end of memory. The memory that the stack holds for them, whatever they do, is taken from
/// the budget here; their buffers, and what servers hold for them, as they come.
fn fitted(config: Config, is_given: bool) -> Config {
    let room = config.memory.room(Part::Network);
    let most = room / if is_given { 2 * CONNECTION } else { BUSY };
    let open = config.max_connections.min(most);
    let backlog = config.backlog.min(WAITING * most);
    let entries = room / 32 / ENTRY;
    let config = Config {
        max_connections: if is_given { open } else { open + backlog },
        max_time_wait: config.max_time_wait.min(entries),
        backlog,
        ..config
    };
    let state = config.max_connections * CONNECTION + 2 * entries * ENTRY;
    // The stack lives as long as the program.
    if let Some(lease) = config.memory.try_take(Part::Network, state) {
        mem::forget(lease);
    }
    log::debug!(
        target: "net",
        "at most {open} connections, {} bytes in their buffers",
        config.buffer_memory.min(config.memory.room(Part::Network))
    );
    config
}
