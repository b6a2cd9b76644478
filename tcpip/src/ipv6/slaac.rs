//! Router discovery and stateless address autoconfiguration (RFC 4861, section 6.3;
//! RFC 4862, section 5.5).

use super::super::ports::Random;
use super::advertisement::{Advertisement, Prefix, RouterOption};
use super::routers::Routers;
use alloc::vec::Vec;
use core::net::Ipv6Addr;
use core::time::Duration;
use fata_time::Instant;

/// Networks whose prefix gives an address, and name servers that are kept. Those announced
/// beyond are passed over until others expire.
pub(super) const MAX_PREFIXES: usize = 4;
/// The link-local address, and those from routers or a given one.
pub(super) const MAX_ADDRESSES: usize = 1 + MAX_PREFIXES;
const MAX_SERVERS: usize = 4;

/// The time between the first two solicitations, and the longest (RFC 7559, section 2).
const FIRST_INTERVAL: Duration = Duration::from_secs(4);
const LONGEST_INTERVAL: Duration = Duration::from_secs(3_600);
/// Nobody can shorten an address's life to less (RFC 4862, section 5.5.3).
const TWO_HOURS: Duration = Duration::from_secs(2 * 3_600);
/// Neighbors of a network stay so for so long at least, so that advertisements that
/// contradict each other cannot change routes all the time.
const LEAST_ON_LINK: Duration = Duration::from_secs(1);
/// Every IPv6 network carries packets of so many bytes (RFC 8200, section 5).
const LEAST_MTU: usize = 1_280;

/// State of autoconfiguration: what routers have told, and when they are to be asked.
pub(super) struct Slaac {
    /// The lower half of all addresses.
    identifier: u64,
    networks: Vec<Network>,
    pub(super) routers: Routers,
    servers: Vec<(Ipv6Addr, Instant)>,
    /// The longest packet that the device can carry, and the network, in bytes.
    device_mtu: usize,
    mtu: usize,
    /// When routers are asked next, unless one is known and answers.
    solicit_at: Instant,
    interval: Duration,
    /// Before that they are not asked again in any case.
    silent_until: Instant,
}

struct Network {
    /// The upper half of its addresses.
    prefix: u64,
    preferred_until: Instant,
    valid_until: Instant,
    /// Until when its hosts are neighbors.
    on_link_until: Option<Instant>,
}

impl Slaac {
    pub(super) fn new(identifier: u64, device_mtu: usize, now: Instant) -> Self {
        Self {
            identifier,
            networks: Vec::new(),
            routers: Routers::default(),
            servers: Vec::new(),
            device_mtu,
            mtu: device_mtu,
            solicit_at: now,
            interval: Duration::ZERO,
            silent_until: now,
        }
    }

    /// Takes in what the router `source` has sent.
    pub(super) fn receive(
        &mut self,
        source: Ipv6Addr,
        advertisement: &Advertisement<'_>,
        now: Instant,
    ) {
        self.expire(now);
        self.update_router(source, advertisement, now);
        for option in advertisement.options() {
            match option {
                RouterOption::Mtu(mtu) => self.update_mtu(mtu as usize),
                RouterOption::Prefix(prefix) => self.update_network(&prefix, now),
                RouterOption::Servers {
                    lifetime,
                    addresses,
                } => {
                    for address in addresses {
                        self.update_server((*address).into(), now + lifetime, now);
                    }
                }
            }
        }
    }

    fn update_router(&mut self, address: Ipv6Addr, told: &Advertisement<'_>, now: Instant) {
        let until = now + told.lifetime;
        self.routers.update(address, told.preference, until);
        self.expire(now);
    }

    /// RFC 4861, section 6.3.4.
    fn update_mtu(&mut self, mtu: usize) {
        if (LEAST_MTU..=self.device_mtu).contains(&mtu) {
            self.mtu = mtu;
        }
    }

    /// RFC 4862, section 5.5.3.
    fn update_network(&mut self, told: &Prefix, now: Instant) {
        if told.length != 64 || !is_usable(told.address) || told.preferred > told.valid {
            return;
        }
        let prefix = (told.address.to_bits() >> 64) as u64;
        let known = self.networks.iter_mut().find(|old| old.prefix == prefix);
        if let Some(network) = known {
            network.update(told, now);
        } else if told.is_autonomous && !told.valid.is_zero() && self.networks.len() < MAX_PREFIXES
        {
            self.networks.push(Network {
                prefix,
                preferred_until: now + told.preferred,
                valid_until: now + told.valid,
                on_link_until: told.is_on_link.then(|| now + told.valid),
            });
        }
    }

    fn update_server(&mut self, address: Ipv6Addr, until: Instant, now: Instant) {
        if address.is_multicast() || address.is_unspecified() || address.is_loopback() {
            return;
        }
        let known = self.servers.iter().position(|(old, _)| *old == address);
        match known {
            Some(place) if until <= now => {
                self.servers.remove(place);
            }
            Some(place) => self.servers[place].1 = until,
            None if until > now && self.servers.len() < MAX_SERVERS => {
                self.servers.push((address, until));
            }
            None => {}
        }
    }

    /// Forgets what has outlived its lifetime. Without a router left, one is looked for.
    pub(super) fn expire(&mut self, now: Instant) {
        self.networks.retain(|network| network.valid_until > now);
        for network in &mut self.networks {
            network.on_link_until.take_if(|until| *until <= now);
        }
        self.servers.retain(|(_, until)| *until > now);
        let had_router = self.routers.has_answering();
        self.routers.expire(now);
        self.look_for_routers(had_router, now);
    }

    /// The router that is to be asked now whether it is there. If none is left that answers,
    /// another one is looked for.
    pub(super) fn question(&mut self, now: Instant) -> Option<Ipv6Addr> {
        let had_router = self.routers.has_answering();
        let router = self.routers.next_question(now);
        self.look_for_routers(had_router, now);
        router
    }

    /// Begins to ask for routers if there is none any more.
    fn look_for_routers(&mut self, had_router: bool, now: Instant) {
        if had_router && !self.routers.has_answering() {
            self.interval = Duration::ZERO;
            self.solicit_at = self.silent_until.max(now);
        }
    }

    /// Tells whether routers are to be asked now; then the next time is set (RFC 7559, section 2).
    pub(super) fn solicits(&mut self, now: Instant, random: &mut Random) -> bool {
        if self.routers.has_answering() || now < self.solicit_at {
            return false;
        }
        let base = match self.interval * 2 {
            Duration::ZERO => FIRST_INTERVAL,
            doubled => doubled.min(LONGEST_INTERVAL),
        };
        // A tenth less to a tenth more.
        let percent = 90 + (random.next() % 21) as u32;
        self.interval = base * percent / 100;
        self.solicit_at = now + self.interval;
        self.silent_until = now + FIRST_INTERVAL;
        true
    }

    /// When [`expire`](Self::expire), [`question`](Self::question) or
    /// [`solicits`](Self::solicits) has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let networks = self.networks.iter().map(|network| network.valid_until);
        let on_link = self
            .networks
            .iter()
            .filter_map(|network| network.on_link_until);
        let servers = self.servers.iter().map(|(_, until)| *until);
        let solicitation = (!self.routers.has_answering()).then_some(self.solicit_at);
        networks
            .chain(servers)
            .chain(self.routers.deadline())
            .chain(solicitation)
            .chain(on_link)
            .min()
    }

    /// This host's addresses, each with the length of the prefix that its neighbors share:
    /// 128 if it has none but routers.
    pub(super) fn addresses(&self) -> impl Iterator<Item = (Ipv6Addr, u8)> {
        self.networks.iter().map(|network| {
            let length = network.on_link_until.map_or(128, |_| 64);
            (self.address(network), length)
        })
    }

    fn address(&self, network: &Network) -> Ipv6Addr {
        Ipv6Addr::from_bits(u128::from(network.prefix) << 64 | u128::from(self.identifier))
    }

    /// Tells whether an address is not to be used for new connections any more.
    pub(super) fn is_deprecated(&self, address: Ipv6Addr, now: Instant) -> bool {
        let mut networks = self.networks.iter();
        networks.any(|network| network.preferred_until <= now && self.address(network) == address)
    }

    /// Recursive name servers that routers have announced.
    pub(super) fn servers(&self) -> impl Iterator<Item = Ipv6Addr> {
        self.servers.iter().map(|(address, _)| *address)
    }

    /// Bytes of the longest packet.
    pub(super) fn mtu(&self) -> usize {
        self.mtu
    }
}

impl Network {
    fn update(&mut self, told: &Prefix, now: Instant) {
        if told.is_on_link {
            self.on_link_until = Some(now + told.valid.max(LEAST_ON_LINK));
        }
        if !told.is_autonomous {
            return;
        }
        let remaining = self.valid_until - now;
        self.preferred_until = now + told.preferred;
        if told.valid > TWO_HOURS || told.valid > remaining {
            self.valid_until = now + told.valid;
        } else if remaining > TWO_HOURS {
            self.valid_until = now + TWO_HOURS;
        }
    }
}

/// Tells whether hosts can have addresses with that prefix. Those of 0000::/8 are reserved or
/// stand for IPv4 addresses (RFC 4291, section 2.5).
fn is_usable(prefix: Ipv6Addr) -> bool {
    !(prefix.is_multicast() || prefix.is_unicast_link_local() || prefix.octets()[0] == 0)
}
