//! A TAP device that outlives the process that was attached to it.

use crate::support::{BENCH_LISTENING, assert_serves};
use fata_ci::{
    Ending, GUEST_IPV4, Headers, Lab, Launch, Platform, TAP, attach, header_size,
    leaves_segments_whole, set_header_size,
};
use std::net::IpAddr;

/// The setting that owners before have left: longer headers than the shortest, as QEMU asks for.
const HEADER: i32 = 12;

#[test]
#[ignore = "runs processes; ci/test runs it"]
fn a_tap_device_is_left_as_it_was_found() {
    let _lab = Lab::enter();
    set_header_size(&attach(TAP, Headers::None), HEADER);
    for options in [&[][..], &["--sandbox"]] {
        let mut program = Launch::new("bench-guest", Platform::Process)
            .arguments([
                format!("--net=tap={TAP}"),
                format!("--ipv4={GUEST_IPV4}/24"),
            ])
            .arguments(options.iter().copied())
            .start();
        program.wait_for(BENCH_LISTENING);
        assert_serves(IpAddr::V4(GUEST_IPV4));
        assert!(leaves_segments_whole(TAP));
        program.terminate();
        assert_eq!(program.wait().0, Ending::Status(143));
        assert!(!leaves_segments_whole(TAP), "{options:?}");
        assert_eq!(header_size(&attach(TAP, Headers::None)), HEADER);
    }
}

#[test]
#[ignore = "runs processes; ci/test runs it"]
fn what_an_owner_that_was_killed_has_left_does_no_harm() {
    let _lab = Lab::enter();
    for _ in 0..2 {
        let program = Launch::new("bench-guest", Platform::Process)
            .arguments([
                format!("--net=tap={TAP}"),
                format!("--ipv4={GUEST_IPV4}/24"),
            ])
            .start();
        program.wait_for(BENCH_LISTENING);
        assert_serves(IpAddr::V4(GUEST_IPV4));
    }
}
