#!/usr/bin/env bash
# smoltcp 0.14.0
# Expected: an IPv6 packet whose next header is 59, and so has nothing behind it, is not an error
# (RFC 8200, section 4.7): silence.
# Seen: an ICMPv6 Parameter Problem, "unrecognized next header", which points behind the packet's
# end.
# Fata: drops such packets before smoltcp, which does its ICMP, sees them.

set -euo pipefail
. "$(dirname "$0")/common.sh"
begin

mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "seen"
version = "0.0.0"
edition = "2021"

[dependencies.smoltcp]
version = "=0.14.0"
default-features = false
features = ["std", "medium-ip", "proto-ipv6", "socket-udp"]

[workspace]
TOML
cat >src/main.rs <<'RUST'
use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::phy::{Device, Loopback, Medium, RxToken, TxToken};
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpCidr, Ipv6Address};

const NOW: Instant = Instant::ZERO;

fn main() {
    let mut device = Loopback::new(Medium::Ip);
    let mut interface = Interface::new(Config::new(HardwareAddress::Ip), &mut device, NOW);
    let own = Ipv6Address::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    let other = Ipv6Address::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);
    interface.update_ip_addrs(|all| all.push(IpCidr::new(own.into(), 64)).unwrap());
    // A header, and nothing behind it.
    let mut packet = [0; 40];
    (packet[0], packet[6], packet[7]) = (0x60, 59, 64);
    packet[8..24].copy_from_slice(&other.octets());
    packet[24..].copy_from_slice(&own.octets());
    let token = device.transmit(NOW).unwrap();
    token.consume(packet.len(), |frame| frame.copy_from_slice(&packet));
    let mut sockets = SocketSet::new(vec![]);
    interface.poll_ingress_single(NOW, &mut device, &mut sockets);
    let Some((answer, _)) = device.receive(NOW) else {
        return println!("silence");
    };
    answer.consume(|frame| {
        println!(
            "next header {}, type {}, code {}, pointer {}",
            frame[6], frame[40], frame[41], frame[47]
        );
    });
}
RUST
# The folder ends with the script, and the build with it.
export CARGO_TARGET_DIR=$scratch/target
cargo run --quiet >answer
grep -A 1 -x 'name = "smoltcp"' Cargo.lock
same answer "next header 58, type 4, code 1, pointer 40" "$(cat answer)"
