use crate::args::{Args, ArgsError, FromArgs};
use crate::{EntropyError, Env, platform};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::{AddrParseError, IpAddr, Ipv4Addr, Ipv6Addr};
use core::ops::RangeInclusive;
use core::str::FromStr;
use core::time::Duration;
use fata_tcpip::{AddressError, Config, Ipv4Config, Ipv6Config, check_host, check_router};

/// The network stack of this platform: TCP/IP over the virtual machine's network device; in
/// a process the host's sockets, or TCP/IP over a TAP device (`--net tap=NAME`).
pub type Network = platform::network::Stack;

/// The resolver of names over the [`Network`], which also connects to hosts by name.
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
    /// The number of connections was given.
    is_given: bool,
    /// How often to log what was counted, in seconds.
    stats: Option<u32>,
    /// Name servers that were given.
    servers: Servers,
    pub(crate) platform: platform::network::Options,
}

/// Starts the network stack.
pub(crate) async fn open(env: &Env, options: &Options) -> Result<Network, NetworkError> {
    let config = Config {
        memory: env.memory(),
        ..options.config.clone()
    };
    let network = platform::network::open(env, &options.platform, config, options.is_given).await?;
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
        crate::memory::log(now.memory);
        before = now;
    }
}

/// A resolver of names over `network`: it asks the servers that `--dns` names, else those
/// that the network, or the host, has told.
pub(crate) fn resolver(
    env: &Env,
    network: &Network,
    options: &Options,
) -> Result<Resolver, EntropyError> {
    let mut seed = [0; 32];
    platform::entropy::fill(&mut seed)?;
    let (given, platform) = (options.servers.0.clone(), options.platform.clone());
    let stack = network.clone();
    let servers = move || match given.is_empty() {
        true => platform::network::name_servers(&platform, &stack),
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
        // A process may ask its own host.
        let can_be = |address: &IpAddr| address.is_loopback() || check_host(*address, 128).is_ok();
        match addresses {
            Ok(addresses) if addresses.len() <= MOST && addresses.iter().all(can_be) => {
                Ok(Self(addresses))
            }
            _ => Err("give up to four IP addresses of hosts, with commas between them"),
        }
    }
}

/// Returns whether a text can be the name of this host.
fn is_host_name(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    (1..64).contains(&text.len()) && text.bytes().all(is_allowed)
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
        let host_name: Option<String> = args.optional(
            "host-name",
            "NAME",
            "this host's name, which DHCP servers are told",
        )?;
        if host_name.as_deref().is_some_and(|name| !is_host_name(name)) {
            return Err(ArgsError::Conflict(
                "--host-name takes up to 63 letters, digits, hyphens and dots",
            ));
        }
        let config = Config {
            ipv4: ipv4(args)?,
            ipv6: ipv6(args)?,
            // It is told for as long as the program runs.
            host_name: host_name.map(|name| &*name.leak()),
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
        let platform = FromArgs::from_args(args)?;
        Ok(Self {
            config,
            is_given: max_connections.is_some(),
            stats,
            servers: servers.unwrap_or_default(),
            platform,
        })
    }
}

// Where it is put into its caller, as the next one, an image has a kilobyte more.
#[inline(never)]
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
        (Some(Prefix::On(address, prefix)), gateway, false) => {
            let message = "--ipv4-gateway takes the address of another host, the router";
            check_gateway(address.into(), prefix, gateway.map(IpAddr::V4), message)?;
            Ok(Ipv4Config::Static {
                address,
                prefix,
                gateway,
            })
        }
        (Some(_), _, true) => Err(ArgsError::Conflict("give either --ipv4 or --dhcp")),
        (None | Some(Prefix::Off), Some(_), _) => {
            Err(ArgsError::Conflict("--ipv4-gateway needs --ipv4"))
        }
    }
}

#[inline(never)]
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
        (Ipv6Choice::Network(Prefix::On(address, prefix)), gateway) => {
            let message = "--ipv6-gateway takes the address of another host, the router";
            check_gateway(address.into(), prefix, gateway.map(IpAddr::V6), message)?;
            Ok(Ipv6Config::Static {
                address,
                prefix,
                gateway,
            })
        }
        (_, Some(_)) => Err(ArgsError::Conflict(
            "--ipv6-gateway needs --ipv6 with an address",
        )),
    }
}

/// Checks that another host can be the router. `message` says that it cannot.
fn check_gateway(
    own: IpAddr,
    prefix: u8,
    gateway: Option<IpAddr>,
    message: &'static str,
) -> Result<(), ArgsError> {
    match gateway.map(|gateway| check_router(own, prefix, gateway)) {
        None | Some(Ok(())) => Ok(()),
        Some(Err(_)) => Err(ArgsError::Conflict(message)),
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
        check_host(address.into(), length).map_err(PrefixError::Address)?;
        Ok(Self::On(address, length))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PrefixError {
    Malformed,
    Address(AddressError),
}

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str(
                "not an address with the length of its prefix, such as 10.0.0.2/24 or fd00::2/64",
            ),
            Self::Address(error) => error.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split;
    use alloc::string::ToString;

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
    fn all_addresses_of_the_smallest_networks_are_hosts() {
        for line in [
            "--ipv4 10.9.0.0/31",
            "--ipv4 10.9.0.1/31",
            "--ipv4 10.9.0.0/32 --ipv4-gateway 169.254.1.1",
            "--ipv4 10.9.0.255/23",
            "--ipv6 fd00::/127",
            "--ipv6 fd00::/128",
            "--ipv6 fd00::2/64 --ipv6-gateway fe80::1",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
    }

    #[test]
    fn a_mistake_says_what_to_give() {
        let error = parse("--ipv4 10.9.0.0/24").map_err(|error| error.to_string());
        let expected = "--ipv4=10.9.0.0/24: this address stands for the whole network; give one \
                        from 10.9.0.1 to 10.9.0.254";
        assert_eq!(error, Err(expected.into()));
        let line = "--ipv4 10.9.0.2/24 --ipv4-gateway 10.9.0.2";
        let error = parse(line).map_err(|error| error.to_string());
        assert!(error.is_err_and(|text| text.starts_with("--ipv4-gateway takes")));
    }

    #[test]
    fn names_of_this_host() {
        for text in ["web-1", "a.example.org", &"a".repeat(63)] {
            assert!(is_host_name(text), "{text}");
        }
        for text in ["", "a b", "a_b", "\u{e4}", &"a".repeat(64)] {
            assert!(!is_host_name(text), "{text}");
        }
    }

    #[test]
    fn name_servers() {
        let servers: Servers = "10.0.0.1,fd00::1".parse().expect("two addresses");
        assert_eq!(servers.0.len(), 2);
        for text in [
            "",
            "10.0.0.1,",
            "a",
            "0.0.0.0",
            "10.0.0.1,255.255.255.255",
            "ff02::1",
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
            "--ipv4 10.9.0.0/24",
            "--ipv4 10.9.0.255/24",
            "--ipv4 10.9.0.3/30",
            "--ipv4 10.9.0.2/24 --ipv4-gateway 10.9.0.2",
            "--ipv4 10.9.0.2/24 --ipv4-gateway 10.9.0.255",
            "--ipv4 10.9.0.2/24 --ipv4-gateway 0.0.0.0",
            "--ipv6 fd00::/64",
            "--ipv6 fd00::2/64 --ipv6-gateway fd00::2",
            "--ipv6 fd00::2/64 --ipv6-gateway ff02::2",
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
