//! What is sent again, and how fast it goes on from there.

use super::*;

#[test]
fn a_lost_flight_is_sent_again_just_once_without_sack() {
    let path = Path {
        without_sack: true,
        ..Path::default()
    };
    let data = [pattern(1_000_000, 1), Vec::new()];
    let mut world = World::new(1, path, 1, data, [0, 0]);
    // The handshake, and then 10, 20, 40 and 80 segments.
    world.run_for(TRIP * 5 + TRIP / 4);
    world.path.loss = 1_000;
    world.run_for(TRIP);
    world.path.loss = 0;
    let took = world.run();
    let again = world.ends[0]
        .connection
        .as_ref()
        .map(|connection| connection.counts.sent_again);
    assert!(
        again.is_some_and(|again| (80..200).contains(&again)),
        "{again:?}"
    );
    assert!(took < Duration::from_millis(1_000), "{took:?} {again:?}");
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
