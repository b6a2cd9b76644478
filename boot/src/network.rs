use crate::args::{Args, ArgsError, FromArgs};
use crate::{EntropyError, Env, home};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::{AddrParseError, IpAddr, Ipv4Addr, Ipv6Addr};
use core::ops::RangeInclusive;
use core::str::FromStr;
use core::time::Duration;
use fata_net::{Config, Ipv4Config, Ipv6Config};

/// The network stack of this home: TCP/IP over the virtual machine's network device; in
/// a process the host's sockets, or TCP/IP over a TAP device (`--net tap=NAME`).
pub type Network = home::network::Stack;

/// What resolves names over the [`Network`], and connects to hosts by name.
pub type Resolver = fata_net::Resolver<Network>;

/// Why there is no network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetworkError {
    /// The machine has no network device.
    NoDevice,
    /// The network device cannot be used; the message says why.
    Device(String),
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDevice => f.write_str("no network device; give the machine one"),
            Self::Device(message) => f.write_str(message),
        }
    }
}

impl core::error::Error for NetworkError {}

/// Smaller buffers hold no segment; the largest that the stack can allocate has 2 MiB.
const BUFFER_SIZES: RangeInclusive<usize> = 2048..=1 << 21;

/// The boot arguments of the network.
#[derive(Clone)]
pub(crate) struct Options {
    config: Config,
    /// Whether the number of connections was given.
    is_given: bool,
    /// How often to log what was counted, in seconds.
    stats: Option<u32>,
    /// Name servers that were given.
    servers: Servers,
    pub(crate) home: home::network::Options,
}

/// Starts the network stack.
pub(crate) async fn open(env: &Env, options: &Options) -> Result<Network, NetworkError> {
    let network =
        home::network::open(env, &options.home, options.config.clone(), options.is_given).await?;
    if let Some(seconds) = options.stats {
        let pause = Duration::from_secs(seconds.max(1).into());
        env.tasks
            .spawn(log_statistics(env.clone(), network.clone(), pause));
    }
    Ok(network)
}

/// Logs now and then what the network has done since the last time, and what it holds.
async fn log_statistics(env: Env, network: Network, pause: Duration) {
    let mut before = network.statistics();
    loop {
        env.tasks.sleep(pause).await;
        let now = network.statistics();
        let rate = |now: u64, before: u64| (now - before) * 1_000 / pause.as_millis() as u64;
        log::info!(
            target: "stats",
            "in {}/s {} KB/s, out {}/s {} KB/s, {} new, {} open, {} sent again, {} dropped, \
             buffers {} KB, heap {} KB",
            rate(now.device.received_frames, before.device.received_frames),
            rate(now.device.received_bytes, before.device.received_bytes) / 1_000,
            rate(now.device.transmitted_frames, before.device.transmitted_frames),
            rate(now.device.transmitted_bytes, before.device.transmitted_bytes) / 1_000,
            now.totals.accepted + now.totals.connected
                - before.totals.accepted
                - before.totals.connected,
            now.open,
            now.totals.retransmitted_segments - before.totals.retransmitted_segments,
            now.totals.dropped_frames + now.totals.dropped_syns
                - before.totals.dropped_frames
                - before.totals.dropped_syns,
            now.buffer_bytes / 1_000,
            env.heap().used / 1_000,
        );
        before = now;
    }
}

/// What resolves names over `network`: it asks the servers that `--dns` names, else those
/// that the network, or the host, has told.
pub(crate) fn resolver(
    env: &Env,
    network: &Network,
    options: &Options,
) -> Result<Resolver, EntropyError> {
    let mut seed = [0; 32];
    home::entropy::fill(&mut seed)?;
    let (given, home) = (options.servers.0.clone(), options.home.clone());
    let stack = network.clone();
    let servers = move || match given.is_empty() {
        true => home::network::name_servers(&home, &stack),
        false => given.clone(),
    };
    let limits = fata_net::resolver::Limits::default();
    Ok(Resolver::new(
        &env.tasks,
        network.clone(),
        servers,
        limits,
        seed,
    ))
}

/// Addresses of name servers, with commas between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Servers(Vec<IpAddr>);

impl FromStr for Servers {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        const MOST: usize = 4;
        let addresses = text.split(',').map(str::parse);
        let addresses: Result<Vec<IpAddr>, _> = addresses.collect();
        match addresses {
            Ok(addresses) if addresses.len() <= MOST => Ok(Self(addresses)),
            _ => Err("give up to four IP addresses, with commas between them"),
        }
    }
}

impl FromArgs for Options {
    fn from_args(args: &mut Args) -> Result<Self, ArgsError> {
        let defaults = Config::default();
        let buffer: usize = args.option(
            "tcp-buffer",
            "BYTES",
            "what a TCP connection may hold in each direction; memory is taken as it is needed",
            defaults.receive_buffer,
        )?;
        if !BUFFER_SIZES.contains(&buffer) {
            return Err(ArgsError::Conflict(
                "--tcp-buffer takes 2048 to 2097152 bytes",
            ));
        }
        let max_connections: Option<usize> = args.optional(
            "max-connections",
            "COUNT",
            "TCP connections at a time; more have to wait [default: 4096, or what fits]",
        )?;
        let config = Config {
            ipv4: ipv4(args)?,
            ipv6: ipv6(args)?,
            vlan: args.optional(
                "vlan",
                "ID",
                "be in the VLAN of this number alone (IEEE 802.1Q), 1 to 4094",
            )?,
            max_connections: max_connections.unwrap_or(defaults.max_connections),
            receive_buffer: buffer,
            transmit_buffer: buffer,
            ..defaults
        };
        let servers: Option<Servers> = args.optional(
            "dns",
            "ADDRESS,...",
            "name servers to ask, up to four; those that the network tells if not given",
        )?;
        let stats = args.optional(
            "stats",
            "SECONDS",
            "log what the network does, every so many seconds",
        )?;
        let home = FromArgs::from_args(args)?;
        Ok(Self {
            config,
            is_given: max_connections.is_some(),
            stats,
            servers: servers.unwrap_or_default(),
            home,
        })
    }
}

fn ipv4(args: &mut Args) -> Result<Ipv4Config, ArgsError> {
    let network: Option<Prefix<Ipv4Addr>> = args.optional(
        "ipv4",
        "ADDRESS/PREFIX",
        "IPv4 address, such as 10.0.0.2/24, or off; by DHCP if not given",
    )?;
    let gateway = args.optional("ipv4-gateway", "ADDRESS", "IPv4 address of the router")?;
    let dhcp = args.flag("dhcp", "get the IPv4 address and router by DHCP")?;
    match (network, gateway, dhcp) {
        (None, None, _) => Ok(Ipv4Config::Dhcp),
        (Some(Prefix::Off), None, false) => Ok(Ipv4Config::Off),
        (Some(Prefix::On(address, prefix)), gateway, false) => Ok(Ipv4Config::Static {
            address,
            prefix,
            gateway,
        }),
        (Some(_), _, true) => Err(ArgsError::Conflict("give either --ipv4 or --dhcp")),
        (None | Some(Prefix::Off), Some(_), _) => {
            Err(ArgsError::Conflict("--ipv4-gateway needs --ipv4"))
        }
    }
}

fn ipv6(args: &mut Args) -> Result<Ipv6Config, ArgsError> {
    let choice: Option<Ipv6Choice> = args.optional(
        "ipv6",
        "ADDRESS/PREFIX",
        "IPv6 address, such as fd00::2/64, auto (routers tell), link-local, or off",
    )?;
    let gateway = args.optional("ipv6-gateway", "ADDRESS", "IPv6 address of the router")?;
    match (choice.unwrap_or(Ipv6Choice::Auto), gateway) {
        (Ipv6Choice::Auto, None) => Ok(Ipv6Config::Auto),
        (Ipv6Choice::LinkLocal, None) => Ok(Ipv6Config::LinkLocal),
        (Ipv6Choice::Network(Prefix::Off), None) => Ok(Ipv6Config::Off),
        (Ipv6Choice::Network(Prefix::On(address, prefix)), gateway) => Ok(Ipv6Config::Static {
            address,
            prefix,
            gateway,
        }),
        (_, Some(_)) => Err(ArgsError::Conflict(
            "--ipv6-gateway needs --ipv6 with an address",
        )),
    }
}

/// Which IPv6 addresses there are to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ipv6Choice {
    Auto,
    LinkLocal,
    Network(Prefix<Ipv6Addr>),
}

impl FromStr for Ipv6Choice {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        match text {
            "auto" => Ok(Self::Auto),
            "link-local" => Ok(Self::LinkLocal),
            _ => text.parse().map(Self::Network),
        }
    }
}

/// An address of this host and the length of its network's prefix, as in `10.0.0.2/24`, or
/// `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prefix<A> {
    Off,
    On(A, u8),
}

impl<A: FromStr<Err = AddrParseError> + Copy + Into<IpAddr>> FromStr for Prefix<A> {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let (address, length) = text.split_once('/').ok_or(PrefixError::Malformed)?;
        let address: A = address.parse().map_err(|_| PrefixError::Malformed)?;
        let length: u8 = length.parse().map_err(|_| PrefixError::Malformed)?;
        // An address of the family has this many bits.
        if usize::from(length) > size_of::<A>() * 8 {
            return Err(PrefixError::Malformed);
        }
        if !is_of_one_host(address.into()) {
            return Err(PrefixError::NotOfOneHost);
        }
        Ok(Self::On(address, length))
    }
}

fn is_of_one_host(address: IpAddr) -> bool {
    let is_broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
    let is_special = address.is_unspecified() || address.is_multicast() || address.is_loopback();
    !(is_broadcast || is_special)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PrefixError {
    Malformed,
    NotOfOneHost,
}

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => {
                "not an address with the length of its prefix, such as 10.0.0.2/24 or fd00::2/64"
            }
            Self::NotOfOneHost => {
                "this address cannot be the one of a host; give one of the network's that no \
                 other host has, or off"
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split;

    fn parse(line: &str) -> Result<(Ipv4Config, Ipv6Config), ArgsError> {
        let mut args = Args::new(split(line)?);
        let configured = (ipv4(&mut args)?, ipv6(&mut args)?);
        args.finish()?;
        Ok(configured)
    }

    #[test]
    fn addresses() {
        assert!(matches!(
            parse(""),
            Ok((Ipv4Config::Dhcp, Ipv6Config::Auto))
        ));
        assert!(matches!(parse("--ipv6=auto"), Ok((_, Ipv6Config::Auto))));
        assert!(matches!(
            parse("--ipv6=link-local"),
            Ok((_, Ipv6Config::LinkLocal))
        ));
        assert!(matches!(
            parse("--ipv4=off --ipv6=off"),
            Ok((Ipv4Config::Off, Ipv6Config::Off))
        ));
        let Ok((
            Ipv4Config::Static {
                address,
                prefix: 24,
                gateway: Some(gateway),
            },
            Ipv6Config::Static {
                prefix: 64,
                gateway: None,
                ..
            },
        )) = parse("--ipv4 10.0.0.2/24 --ipv4-gateway 10.0.0.1 --ipv6 fd00::2/64")
        else {
            panic!("not understood");
        };
        assert_eq!(address, Ipv4Addr::new(10, 0, 0, 2));
        assert_eq!(gateway, Ipv4Addr::new(10, 0, 0, 1));
    }

    #[test]
    fn name_servers() {
        let servers: Servers = "10.0.0.1,fd00::1".parse().expect("two addresses");
        assert_eq!(servers.0.len(), 2);
        for text in [
            "",
            "10.0.0.1,",
            "a",
            "1.1.1.1,1.1.1.2,1.1.1.3,1.1.1.4,1.1.1.5",
        ] {
            assert!(text.parse::<Servers>().is_err(), "{text}");
        }
    }

    #[test]
    fn mistakes() {
        for line in [
            "--ipv4 10.0.0.2",
            "--ipv4 10.0.0.2/33",
            "--ipv4 fd00::2/64",
            "--ipv4 0.0.0.0/24",
            "--ipv4 224.0.0.1/4",
            "--ipv4 255.255.255.255/24",
            "--ipv4 127.0.0.1/8",
            "--ipv6 ::/64",
            "--ipv6 ::1/128",
            "--ipv6 ff02::1/64",
            "--ipv6 fd00::2/129",
            "--ipv4-gateway 10.0.0.1",
            "--ipv6-gateway fd00::1",
            "--ipv6 auto --ipv6-gateway fd00::1",
            "--ipv4 10.0.0.2/24 --dhcp",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
