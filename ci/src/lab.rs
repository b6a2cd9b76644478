use crate::tool::succeed_with_input;
use rustix::thread::{UnshareFlags, unshare_unsafe};
use std::fs;
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The interface that guests are attached to.
pub const TAP: &str = "tap0";
/// The lab's own IPv4 address.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
/// The guest's IPv4 address.
pub const GUEST_IPV4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
/// The guest's IPv6 address; the lab's ends in 1.
pub const GUEST_IPV6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x198, 0x51, 0x100, 0, 0, 0, 2);
/// The guest's hardware address.
pub const GUEST_MAC: &str = "52:54:00:12:34:56";
/// The link-local address that follows from [`GUEST_MAC`].
pub const GUEST_LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0x5054, 0xff, 0xfe12, 0x3456);

/// The tap's queue is long: a thousand frames, as usual, are lost in a burst of thousands of clients
/// before the guest gets to see them.
const SET_UP: &str = "\
link set lo up
tuntap add dev tap0 mode tap
address add 198.51.100.1/24 dev tap0
address add fd00:198:51:100::1/64 dev tap0 nodad
link set tap0 txqueuelen 10000 up
";

/// A network namespace of the calling thread's own: loopback and one tap, nothing that leads out.
///
/// Processes and threads that the thread starts are in it too. It vanishes with the last of them,
/// so tests run side by side, each with the same addresses, and cannot touch the machine's network.
pub struct Lab {
    /// Belongs to its thread.
    not_send: PhantomData<*const ()>,
}

impl Lab {
    /// Moves the calling thread into a new namespace and sets up its tap.
    ///
    /// # Panics
    /// Without the privileges for it, and without `ip` or `/dev/net/tun`.
    pub fn enter() -> Self {
        let outside = namespace();
        // SAFETY: only the network namespace of this thread changes. Nothing in the process relies
        // on its threads sharing one; no file descriptor table is unshared.
        let moved = unsafe { unshare_unsafe(UnshareFlags::NEWNET) };
        if let Err(error) = moved {
            panic!(
                "cannot make a network namespace ({error}): run the system tests through ci/test, \
                 as root or where `unshare --map-root-user` works"
            );
        }
        assert_ne!(outside, namespace(), "still in the outer network namespace");
        succeed_with_input("ip", ["-batch", "-"], SET_UP);
        // Enough local ports for a connection a request.
        for (name, value) in [("tcp_tw_reuse", "1"), ("ip_local_port_range", "1024 65000")] {
            let path = format!("/proc/sys/net/ipv4/{name}");
            fs::write(&path, value).unwrap_or_else(|error| panic!("cannot write {path}: {error}"));
        }
        Self {
            not_send: PhantomData,
        }
    }

    /// Where a program listens that runs as a process in this lab.
    pub fn loopback(&self) -> IpAddr {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    }
}

/// The name of the calling thread's network namespace.
fn namespace() -> std::path::PathBuf {
    fs::read_link("/proc/thread-self/ns/net").expect("cannot read this thread's network namespace")
}
