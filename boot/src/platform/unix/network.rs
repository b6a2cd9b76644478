//! The network of a process: the host's sockets, or TCP/IP over a TAP device.

mod capture;
mod either;
mod name_servers;
#[cfg(test)]
mod tests;

use crate::platform::sandbox;
use crate::{Args, ArgsError, Env, FromArgs, NetworkError};
use alloc::borrow::ToOwned;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use capture::CaptureFile;
use core::cell::{Cell, OnceCell};
use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;
use either::Either;
use fata_net::host::{HostStack, Limits};
use fata_net::{Capture, LARGEST_FRAME, MacAddress, Tap};
use fata_tcpip::{Config, Ipv4Config, Ipv6Config, TcpIp};
use rand_core::Rng;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The network stack.
pub type Stack = Either<HostStack, TcpIp>;

/// How the network is opened.
#[derive(Clone)]
pub(crate) struct Options {
    attachment: Attachment,
    /// Where the frames of a TAP device are written down.
    capture: Option<String>,
    /// The TAP device and that file, if they were opened before the network, and why they
    /// could not be.
    early: Rc<Cell<Option<Result<Opened, NetworkError>>>>,
    /// The host's name servers, once they were read.
    servers: Rc<OnceCell<Vec<IpAddr>>>,
}

/// A TAP device, and the file for its frames.
type Opened = (Tap, Option<CaptureFile>);

/// The host's end of the program's network.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Attachment {
    /// The host's sockets.
    Host,
    /// The TAP device of that name.
    Tap(String),
}

impl FromArgs for Options {
    fn from_args(args: &mut Args) -> Result<Self, ArgsError> {
        let attachment = args.option(
            "net",
            "host|tap=NAME",
            "network: the host's sockets, or TCP/IP over a TAP device",
            Attachment::Host,
        )?;
        let capture = args.optional(
            "pcap",
            "FILE",
            "write the frames of the TAP device down, for tcpdump and Wireshark",
        )?;
        if capture.is_some() && attachment == Attachment::Host {
            return Err(ArgsError::Conflict("--pcap needs --net tap=NAME"));
        }
        Ok(Self {
            attachment,
            capture,
            early: Rc::default(),
            servers: Rc::default(),
        })
    }
}

impl Options {
    /// The host's name servers, read when they are first asked for.
    fn host_servers(&self) -> &[IpAddr] {
        self.servers.get_or_init(name_servers::read)
    }
}

/// The name servers of the host, or of the network that a device leads to.
pub(crate) fn name_servers(options: &Options, stack: &Stack) -> Vec<IpAddr> {
    match stack {
        Either::Host(_) => options.host_servers().into(),
        Either::Device(stack) => stack.dns_servers(),
    }
}

impl FromStr for Attachment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match (text, text.strip_prefix("tap=")) {
            ("host", _) => Ok(Self::Host),
            (_, Some(name)) => Ok(Self::Tap(name.to_owned())),
            _ => Err("give host, or tap= and the name of a TAP device"),
        }
    }
}

impl fmt::Display for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("host"),
            Self::Tap(name) => write!(f, "tap={name}"),
        }
    }
}

pub(crate) async fn open(
    env: &Env,
    options: &Options,
    config: Config,
    _: bool,
) -> Result<Stack, NetworkError> {
    match &options.attachment {
        Attachment::Host => Ok(Either::Host(host(env, &config))),
        Attachment::Tap(name) => {
            let early = options.early.take();
            let (tap, file) = early.unwrap_or_else(|| open_tap(env, name, options))?;
            let seed = env.rng().map_err(device_error)?.next_u64();
            let tasks = &env.tasks;
            Ok(Either::Device(match file {
                None => TcpIp::start(tasks, tap, config, seed),
                Some(file) => {
                    let device = Capture::new(tap, tasks, LARGEST_FRAME, file);
                    TcpIp::start(tasks, device, config, seed)
                }
            }))
        }
    }
}

/// Does what of [`open`] the sandbox would not allow, and tells whether sockets must be allowed.
pub(crate) fn open_early(env: &Env, options: &Options) -> bool {
    match &options.attachment {
        Attachment::Host => {
            raise_descriptor_limit();
            options.host_servers();
            true
        }
        Attachment::Tap(name) => {
            options.early.set(Some(open_tap(env, name, options)));
            false
        }
    }
}

fn open_tap(env: &Env, name: &str, options: &Options) -> Result<Opened, NetworkError> {
    let mac = mac_address(&mut env.rng().map_err(device_error)?);
    let tap = Tap::open(name, mac, &env.idler.reactor()).map_err(device_error)?;
    let file = options.capture.as_deref().map(CaptureFile::create);
    Ok((tap, file.transpose()?))
}

fn device_error(error: impl fmt::Display) -> NetworkError {
    NetworkError::Device(error.to_string())
}

fn host(env: &Env, config: &Config) -> HostStack {
    let is_default = config.ipv4 == Ipv4Config::Dhcp && config.ipv6 == Ipv6Config::default();
    if !is_default || config.vlan.is_some() {
        log::warn!(target: "net", "the host has its own addresses: --ipv4, --ipv6 and --vlan change nothing here");
    }
    if !sandbox::is_on() {
        raise_descriptor_limit();
    }
    let limits = Limits {
        connections: config.max_connections,
        ..Limits::default()
    };
    HostStack::new(&env.tasks, env.idler.reactor(), limits)
}

/// Lets this process open as many files as it may, as each connection is one.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        log::debug!(target: "net", "the limit of open files stays as it is: {error}");
    }
}

/// A random address of the kind that nobody assigns to devices: locally administered,
/// unicast.
fn mac_address(rng: &mut impl Rng) -> MacAddress {
    let mut bytes = [0; 6];
    rng.fill_bytes(&mut bytes);
    bytes[0] = bytes[0] & !0x01 | 0x02;
    MacAddress(bytes)
}
