//! Retransmissions, and how fast it goes on from there.

use super::solo::{IRS, ISS, Solo, header};
use super::*;

#[test]
fn a_lost_flight_is_sent_again_just_once_without_sack() {
    let path = Path {
        without_sack: true,
        ..Path::default()
    };
    let data = [pattern(1_000_000, 1), Vec::new()];
    let mut world = World::new(1, path, 1, data, [0, 0]);
    // The handshake, then 10, 20, 40, 80 segments, and now 160 are on their way.
    world.run_for(RTT * 5 + RTT / 4);
    let flight = std::mem::take(&mut world.ends[1].incoming.0).len() as u64;
    assert!(flight > 100, "{flight}");
    let took = world.run();
    let connection = world.ends[0].connection.as_ref().expect("it was there");
    let again = connection.counts.retransmitted;
    assert!(
        (flight..flight + flight / 4).contains(&again),
        "{flight} {again}"
    );
    // A time-out, and then the window doubles.
    assert!(took < Duration::from_millis(1_000), "{took:?}");
}

#[test]
fn a_lost_syn_does_not_end_slow_start() {
    let path = Path {
        first_lost: 1,
        ..Path::default()
    };
    let (took, again) = exchange(1, path, 1, [1_000_000, 0], [0, 0]);
    assert_eq!(again, 0);
    // A second until the SYN comes again, then the window doubles from one segment on.
    assert!(took < Duration::from_millis(1_500), "{took:?}");
}

#[test]
fn a_loss_after_a_long_closed_window_is_repaired_soon() {
    let mut end = Solo::accepted(0);
    end.write(1_000);
    let probes = end.sent_within(Duration::from_secs(100));
    assert!((3..12).contains(&probes.len()), "{}", probes.len());
    assert!(probes.iter().all(|(_, length)| *length == 0));
    end.receive(header(Flags::ACK, IRS + 1, ISS + 1, 60_000), &[]);
    let first = end.sent();
    let again = end.sent_within(Duration::from_secs(1));
    assert_eq!((first.len(), first[0].1), (1, 1_000));
    assert!(
        again.iter().any(|(_, length)| *length == 1_000),
        "{again:?}"
    );
}
