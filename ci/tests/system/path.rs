//! A path with a link that takes shorter packets than both ends think, whose router says nothing.

use crate::support::{BENCH_LISTENING, Killed, MICROVM};
use fata_ci::{GUEST_IPV4, GUEST_IPV6, Lab, Launch, Network, TAP_ARGUMENTS, succeed};
use std::fs;
use std::net::IpAddr;
use std::process::{Child, Command};

/// The largest packet of the link.
const MTU: &str = "1300";
/// Bytes to fetch: the search is over long before that.
const LENGTH: &str = "3000000";

/// A second host, behind a router that sends no ICMP errors to the guest: the lab.
struct Far(Killed);

impl Far {
    fn new(_lab: &Lab) -> Self {
        // The namespace lasts as long as its only process.
        let child = Command::new("unshare")
            .args(["--net", "sleep", "60"])
            .spawn();
        let far = Self(Killed(child.expect("unshare is installed")));
        far.wait_for_namespace();
        let pid = far.child().id().to_string();
        for words in [
            &format!("link add near0 mtu {MTU} type veth peer name far0 netns {pid}"),
            "address add 192.0.2.1/24 dev near0",
            "address add fd00:2::1/64 dev near0 nodad",
            "link set near0 up",
            // The router's own packets to the guest get lost: its ICMP errors.
            &format!("rule add iif lo to {GUEST_IPV4} blackhole"),
            &format!("-6 rule add iif lo to {GUEST_IPV6} blackhole"),
        ] {
            succeed("ip", words.split(' '));
        }
        for path in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
            fs::write(format!("/proc/sys/net/{path}"), "1").expect("it can be switched on");
        }
        for words in [
            "address add 192.0.2.2/24 dev far0",
            "address add fd00:2::2/64 dev far0 nodad",
            "link set far0 up",
            "route add default via 192.0.2.1",
            "-6 route add default via fd00:2::1",
        ] {
            far.run(&format!("ip {words}"));
        }
        far
    }

    fn child(&self) -> &Child {
        &self.0.0
    }

    /// Waits until `unshare` has done its work.
    fn wait_for_namespace(&self) {
        let name = |process: &str| fs::read_link(format!("/proc/{process}/ns/net")).ok();
        let pid = self.child().id().to_string();
        while name(&pid) == name("thread-self") {
            std::thread::yield_now();
        }
    }

    /// Runs a command there. Returns what it writes.
    fn run(&self, command: &str) -> String {
        let namespace = format!("--net=/proc/{}/ns/net", self.child().id());
        let output = succeed(
            "nsenter",
            [&namespace, "timeout", "50", "bash", "-c", command],
        );
        String::from_utf8(output).expect("it writes text")
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn data_comes_through_a_link_that_silently_drops_long_packets() {
    let lab = Lab::enter();
    let far = Far::new(&lab);
    let guest = Launch::new("bench-guest", MICROVM)
        .network(Network::BareTap)
        .arguments(TAP_ARGUMENTS)
        .arguments(["--ipv6-gateway=fd00:198:51:100::1"])
        .start();
    guest.wait_for(BENCH_LISTENING);
    for address in [IpAddr::from(GUEST_IPV4), GUEST_IPV6.into()] {
        let fetch = format!("exec 3<>/dev/tcp/{address}/19 && head -c {LENGTH} <&3 | wc -c");
        assert_eq!(far.run(&fetch).trim(), LENGTH, "{address}");
    }
}
