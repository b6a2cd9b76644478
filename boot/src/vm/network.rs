//! The network of a virtual machine: TCP/IP over its virtio-net device.

use super::virtio::{self, Identity, Transport};
use crate::{Args, ArgsError, Env, FromArgs, NetworkError};
use alloc::string::ToString;
use fata_net::{Config, TcpIp, VirtioNet};
use rand_core::Rng;
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
    let card = VirtioNet::<Identity, Transport>::new(device.transport, event);
    let card = card.map_err(|error| NetworkError::Device(error.to_string()))?;
    let seed = env.rng().next_u64();
    Ok(TcpIp::start(&env.tasks, card, config, seed))
}
