//! Bulk data through a cable that loses, doubles and reorders frames: every byte is checked.

use crate::support::MICROVM;
use fata_ci::{
    GUEST_IPV4, Impairment, Lab, Launch, Relay, TAP_ARGUMENTS, receive_checked, send_checked,
};
use std::net::IpAddr;

const BYTES: u64 = 10_000_000;
/// Of 10,000 frames.
const LOSS: u32 = 100;

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn ten_megabytes_each_way_come_right_through_an_impaired_cable() {
    let lab = Lab::enter();
    let relay = Relay::start(&lab, Impairment::with_loss(LOSS), 1);
    let guest = Launch::new("bulk", MICROVM)
        .arguments(TAP_ARGUMENTS)
        .qemu_arguments(relay.qemu_arguments())
        .start();
    guest.wait_for("bulk: listening");
    let address = IpAddr::V4(GUEST_IPV4);
    send_checked(address, BYTES);
    receive_checked(address, BYTES);
    let counts = relay.counts();
    assert!(
        counts.lost > 50 && counts.doubled > 20 && counts.held > 50,
        "{counts:?}"
    );
}
