//! Hosts in a VLAN, and frames that tag a priority: the host's kernel is the peer.

use crate::support::{BENCH_LISTENING, MICROVM, assert_serves};
use fata_ci::{
    GUEST_IPV4, Lab, Launch, Platform, TAP_ARGUMENTS, Trunk, receive_checked, send_checked,
};
use std::net::IpAddr;

const ADDRESS: IpAddr = IpAddr::V4(GUEST_IPV4);

/// Starts a program behind a trunk that carries VLAN `id`.
fn launch(name: &str, platform: Platform, trunk: &Trunk<'_>) -> Launch {
    let launch = Launch::new(name, platform).arguments(TAP_ARGUMENTS);
    match platform {
        Platform::Machine(_) => launch.qemu_arguments(trunk.qemu_arguments()),
        Platform::Process => launch.arguments([trunk.process_argument()]),
    }
}

/// Bulk data, so that segments are cut and merged on the way.
fn assert_carries(platform: Platform) {
    const BYTES: u64 = 8_000_000;
    let lab = Lab::enter();
    let trunk = Trunk::start(&lab, 5);
    let program = launch("bulk", platform, &trunk)
        .arguments(["--vlan=5"])
        .start();
    program.wait_for("bulk: listening");
    send_checked(ADDRESS, BYTES);
    receive_checked(ADDRESS, BYTES);
    assert_eq!(trunk.others(), 0, "frames without the tag");
    assert!(trunk.long() > 0, "{} frames, none long", trunk.tagged());
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn bulk_data_of_a_microvm_in_a_vlan() {
    assert_carries(MICROVM);
}

#[test]
#[ignore = "runs a process; ci/test runs it"]
fn bulk_data_of_a_process_in_a_vlan() {
    assert_carries(Platform::Process);
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn frames_with_a_priority_are_heard() {
    let lab = Lab::enter();
    let trunk = Trunk::start(&lab, 0);
    let program = launch("bench-guest", MICROVM, &trunk).start();
    program.wait_for(BENCH_LISTENING);
    assert_serves(ADDRESS);
}
