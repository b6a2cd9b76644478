//! What the DHCP client (smoltcp's) finds out.

use alloc::vec;
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use smoltcp::socket::dhcpv4::{Config, Event, RetryConfig, Socket};
use smoltcp::time::Duration;
use smoltcp::wire::{DhcpPacket, Ipv4Cidr};

/// How long to wait for a DHCP server's answer before it is asked again.
const DISCOVER_TIMEOUT: Duration = Duration::from_secs(3);
/// The same for the answer to a request, doubled with every second attempt.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// Where servers' answers come to.
pub(super) const PORT: u16 = 68;
/// Bytes of a message that every client has to take (RFC 2131, section 2).
const LEAST_MESSAGE: usize = 576;
/// The option that lists routers, the preferred one first (RFC 2132, section 3.5).
const ROUTERS: u8 = 3;

/// What a server has lent and told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) address: Ipv4Cidr,
    pub(super) router: Option<Ipv4Addr>,
    /// Name servers.
    pub(super) servers: Vec<Ipv4Addr>,
}

impl Lease {
    fn new(config: &Config<'_>) -> Self {
        Self {
            address: config.address,
            router: config.packet.as_ref().and_then(first_router),
            servers: config.dns_servers.iter().copied().collect(),
        }
    }
}

/// A client on a link that carries packets of up to `mtu` bytes.
pub(super) fn client(mtu: usize) -> Socket<'static> {
    let mut socket = Socket::new();
    let mut retry = RetryConfig::default();
    retry.discover_timeout = DISCOVER_TIMEOUT;
    retry.initial_request_timeout = REQUEST_TIMEOUT;
    socket.set_retry_config(retry);
    // For what smoltcp does not read. It is never freed: a stack is driven for as long as the
    // executor runs.
    socket.set_receive_packet_buffer(vec![0; mtu.max(LEAST_MESSAGE)].leak());
    // It says first that there is no address, which is no news.
    let _ = socket.poll();
    socket
}

/// What has happened since this was last asked, maybe nothing new: the lease, or that there is
/// none any more.
pub(super) fn poll(client: &mut Socket<'_>) -> Option<Option<Lease>> {
    Some(match client.poll()? {
        Event::Configured(config) => Some(Lease::new(&config)),
        Event::Deconfigured => None,
    })
}

/// The preferred router. smoltcp reads the option only if it has a single one.
fn first_router(message: &DhcpPacket<&[u8]>) -> Option<Ipv4Addr> {
    let routers = message.options().find(|option| option.kind == ROUTERS)?;
    let first: &[u8; 4] = routers.data.first_chunk()?;
    Some(Ipv4Addr::from_octets(*first))
}
