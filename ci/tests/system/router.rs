//! IPv6 addresses from a router's advertisements: the test is the router.

use crate::support::{BENCH_LISTENING, MICROVM, assert_serves};
use fata_ci::{Lab, Launch, Network, TAP, succeed};
use rustix::fd::OwnedFd;
use rustix::net::netdevice::name_to_index;
use rustix::net::sockopt::set_ipv6_multicast_hops;
use rustix::net::{AddressFamily, SendFlags, SocketType, ipproto, sendto, socket};
use std::net::{IpAddr, Ipv6Addr, SocketAddrV6};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const PREFIX: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0);
/// The address from the prefix and the guest's hardware address (RFC 4291, appendix A).
const ADDRESS: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0x5054, 0xff, 0xfe12, 0x3456);

/// Tells everybody on the tap of a router and of a network.
struct Router {
    socket: OwnedFd,
    everybody: SocketAddrV6,
}

impl Router {
    fn open() -> Self {
        let kind = (AddressFamily::INET6, SocketType::RAW, Some(ipproto::ICMPV6));
        let socket = socket(kind.0, kind.1, kind.2).expect("a raw socket");
        // Others than neighbors cannot have sent it (RFC 4861, section 6.1.2).
        set_ipv6_multicast_hops(&socket, 255).expect("a hop limit");
        let tap = name_to_index(&socket, TAP).expect("the tap is there");
        Self {
            socket,
            everybody: SocketAddrV6::new(ALL_NODES, 0, 0, tap),
        }
    }

    /// Sends an advertisement (RFC 4861, section 4.2) of the prefix, good for so many seconds.
    fn advertise(&self, lifetime: u32) {
        // The kernel fills the checksum in.
        let mut message = vec![134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0];
        // On the link, and to make addresses of.
        message.extend([3, 4, 64, 0xc0]);
        message.extend(lifetime.to_be_bytes());
        message.extend(lifetime.to_be_bytes());
        message.extend([0; 4]);
        message.extend(PREFIX.octets());
        // While there is no address to send from, it cannot be sent.
        let _ = sendto(&self.socket, &message, SendFlags::empty(), &self.everybody);
    }
}

/// Lets the router end, even if the test fails.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_microvm_takes_its_address_from_a_router() {
    let _lab = Lab::enter();
    let own = Ipv6Addr::from_bits(PREFIX.to_bits() | 1).to_string();
    succeed(
        "ip",
        ["address", "add", &format!("{own}/64"), "dev", TAP, "nodad"],
    );
    let guest = Launch::new("bench-guest", MICROVM)
        .network(Network::BareTap)
        .arguments(["--ipv4=off"])
        .start();
    guest.wait_for(BENCH_LISTENING);
    // Again and again, as the tap has no link-local address to send from at first.
    let has_address = AtomicBool::new(false);
    thread::scope(|scope| {
        let router = Router::open();
        let is_done = &has_address;
        scope.spawn(move || {
            while !is_done.load(Ordering::SeqCst) {
                router.advertise(3_600);
                thread::sleep(Duration::from_millis(200));
            }
        });
        let _end = SetOnDrop(&has_address);
        guest.wait_for(&ADDRESS.to_string());
    });
    assert_serves(IpAddr::V6(ADDRESS));
    succeed(
        "ping",
        [
            "-6",
            "-c",
            "3",
            "-i",
            "0.2",
            "-W",
            "10",
            &ADDRESS.to_string(),
        ],
    );
}
