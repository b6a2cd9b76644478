//! IPv4 addresses from DHCP servers: dnsmasq, and one of the test's own that does wrong.

use crate::support::MICROVM;
use fata_ci::{GATEWAY, GUEST_IPV4, GUEST_MAC, Lab, Launch, Network, Program, TAP, succeed};
use std::net::{Ipv4Addr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

/// Where hosts of a network hear all (RFC 919).
const BROADCAST: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 255);
const DISCOVER: u8 = 1;
const OFFER: u8 = 2;
const ACK: u8 = 5;
const NAK: u8 = 6;

/// dnsmasq on an interface, with its log.
fn dnsmasq(interface: &str, options: &[&str]) -> Program {
    let name = format!("--interface={interface}");
    let words = [
        "dnsmasq",
        "--no-daemon",
        "--conf-file=/dev/null",
        "--no-resolv",
        "--no-hosts",
        "--bind-interfaces",
        "--except-interface=lo",
        "--leasefile-ro",
        "--no-ping",
        "--log-dhcp",
        &name,
    ];
    let server = Program::run(words.iter().chain(options));
    server.wait_for("started");
    server
}

/// The packets of an interface that a filter lets through, in words.
fn watch(interface: &str, filter: &str) -> Program {
    let watcher = Program::run(["tcpdump", "--immediate-mode", "-lnvi", interface, filter]);
    watcher.wait_for("listening on");
    watcher
}

fn guest(program: &str, arguments: &[&str]) -> Program {
    Launch::new(program, MICROVM)
        .network(Network::BareTap)
        .arguments(["--ipv6=off"].iter().chain(arguments).copied())
        .start()
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_lease_says_how_long_packets_may_be() {
    let _lab = Lab::enter();
    let host = format!("--dhcp-host={GUEST_MAC},{GUEST_IPV4}");
    let range = "--dhcp-range=198.51.100.0,static";
    let server = dnsmasq(TAP, &["--port=0", range, &host, "--dhcp-option=26,1400"]);
    let watcher = watch(TAP, "tcp or icmp");
    let site = guest("site", &["--host-name=web-1"]);
    site.wait_for(&format!("address {GUEST_IPV4}/24, gateway {GATEWAY}"));
    site.wait_for("listening");
    server.wait_for("client provides name: web-1");
    let url = format!("http://{GUEST_IPV4}/");
    succeed("curl", ["--silent", "--show-error", "--fail", &url]);
    watcher.wait_until("its largest segment", |text| {
        let mut lines = text.lines();
        lines.any(|line| line.contains("Flags [S.]") && line.contains("mss 1360,"))
    });
    let address = GUEST_IPV4.to_string();
    // The first answer may wait in vain for the hardware address of whoever asks.
    succeed("ping", ["-c3", "-i0.5", "-W5", "-s1372", &address]);
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn routes_and_name_servers_come_with_a_lease() {
    let _lab = Lab::enter();
    succeed("ip", ["address", "add", "203.0.113.1/32", "dev", TAP]);
    let host = format!("--dhcp-host={GUEST_MAC},{GUEST_IPV4}");
    let server = dnsmasq(
        TAP,
        &[
            "--dhcp-range=198.51.100.0,static",
            &host,
            // A router that leads nowhere, which does not count beside the route.
            "--dhcp-option=3,198.51.100.99",
            "--dhcp-option=121,203.0.113.0/24,198.51.100.1",
            "--dhcp-option=6,203.0.113.1",
            "--address=/ok.test/203.0.113.7",
        ],
    );
    let text = guest("resolve", &["--name=ok.test"]).wait_success();
    assert!(text.contains("ok.test is 203.0.113.7 for "), "{text}");
    assert!(server.text().contains("DHCPACK"));
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_server_that_was_not_chosen_cannot_refuse() {
    let _lab = Lab::enter();
    // A bridge of the tap, the lab's address, and a port of its own for the second server.
    for line in [
        "link add br0 type bridge",
        "link add port0 type veth peer name other0",
        "link set tap0 master br0",
        "link set port0 master br0 up",
        "address flush dev tap0 scope global",
        "address add 198.51.100.1/24 dev br0",
        "address add 198.51.100.9/24 dev other0",
        "link set br0 up",
        "link set other0 up",
    ] {
        succeed("ip", line.split(' '));
    }
    let host = format!("--dhcp-host={GUEST_MAC},{GUEST_IPV4}");
    let range = "--dhcp-range=198.51.100.0,static";
    let _server = dnsmasq("br0", &["--port=0", range, &host]);
    let other = dnsmasq("other0", &["--port=0", range, "--dhcp-authoritative"]);
    let watcher = watch("br0", "udp port 67");
    let site = guest("site", &[]);
    other.wait_for("DHCPNAK");
    site.wait_for(&format!("address {GUEST_IPV4}/24"));
    let text = site.wait_for("listening");
    assert!(!text.contains("is lost"), "{text}");
    let packets = watcher.text();
    assert!(packets.matches("Request from").count() <= 4, "{packets}");
}

/// A server on the tap that lends the guest's address without a mask, or refuses to lend what it
/// has offered. It returns how many messages the client has sent within so many seconds.
fn serve(socket: &UdpSocket, refuses: bool, seconds: u64) -> usize {
    let mut message = [0; 1_500];
    let (mut count, mut first) = (0, None);
    let is_over = |first: Instant| first.elapsed() > Duration::from_secs(seconds);
    while !first.is_some_and(is_over) {
        let Ok((length, _)) = socket.recv_from(&mut message) else {
            continue;
        };
        count += 1;
        first.get_or_insert_with(Instant::now);
        let kind = match message[..length].get(242) {
            Some(&DISCOVER) => OFFER,
            _ if refuses => NAK,
            _ => ACK,
        };
        let mut answer = message[..236].to_vec();
        answer[0] = 2;
        answer[16..20].copy_from_slice(&GUEST_IPV4.octets());
        answer.extend([99, 130, 83, 99, 53, 1, kind, 54, 4]);
        answer.extend(GATEWAY.octets());
        answer.push(255);
        let sent = socket.send_to(&answer, (BROADCAST, 68));
        sent.expect("the network takes it");
    }
    count
}

/// The socket of such a server.
fn server_socket() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 67)).expect("the port is free");
    socket.set_broadcast(true).expect("it may tell all");
    let patience = Some(Duration::from_millis(100));
    socket.set_read_timeout(patience).expect("it may wait");
    socket
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_server_that_always_refuses_is_not_flooded() {
    let _lab = Lab::enter();
    let socket = server_socket();
    let site = guest("site", &[]);
    let count = serve(&socket, true, 5);
    assert!((3..=6).contains(&count), "{count} messages");
    site.wait_for("the DHCP server 198.51.100.1 refuses what it has offered (NAK)");
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_lease_without_a_mask_is_taken() {
    let _lab = Lab::enter();
    let socket = server_socket();
    let site = guest("site", &[]);
    thread::scope(|scope| {
        scope.spawn(|| serve(&socket, false, 1));
        site.wait_for(&format!("address {GUEST_IPV4}/24, no gateway"));
    });
    site.wait_for("listening");
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn an_address_that_another_host_has_is_given_back() {
    let _lab = Lab::enter();
    // The lab's own Linux answers for it.
    let taken = format!("{GUEST_IPV4}/32");
    succeed("ip", ["address", "add", &taken, "dev", "lo"]);
    let socket = server_socket();
    let watcher = watch(TAP, "udp dst port 67");
    let site = guest("site", &[]);
    thread::scope(|scope| {
        scope.spawn(|| serve(&socket, false, 1));
        site.wait_for(&format!("another host has the address {GUEST_IPV4}"));
    });
    watcher.wait_for("Decline");
}
