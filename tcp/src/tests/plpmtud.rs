//! PLPMTUD: paths that drop long segments without a word.

use super::*;

/// Sends data over a path that takes so many bytes of payload, in segments that are cut into
/// `pieces` on their way. Returns the world in the end, and how long it took.
fn send(longest: usize, pieces: u32, length: usize) -> (World, Duration) {
    let path = Path {
        longest: Some(longest),
        ..Path::default()
    };
    let data = [pattern(length, 1), Vec::new()];
    let mut world = World::new(1, path, pieces, data.clone(), [0, 0]);
    let took = world.run();
    assert!(world.ends[1].received == data[0], "bytes are wrong");
    (world, took)
}

fn sender(world: &World) -> &Connection {
    let connection = world.ends[0].connection.as_ref();
    connection.expect("it was there")
}

#[test]
fn the_longest_segments_that_get_through_are_found() {
    for (longest, pieces) in [(700, 1), (700, 40), (984, 1), (984, 40), (540, 1)] {
        let (world, took) = send(longest, pieces, 2_000_000);
        let found = sender(&world).mss() as usize;
        assert!((longest - 16..=longest).contains(&found), "{found}");
        // Two time-outs, and no more.
        assert!(took < Duration::from_secs(4), "{took:?}");
        let again = sender(&world).counts.retransmitted;
        assert!(again < 60, "{again}");
    }
}

#[test]
fn a_path_that_takes_more_later_is_found_out() {
    let path = Path {
        longest: Some(700),
        ..Path::default()
    };
    let data = [pattern(1_000_000, 1), Vec::new()];
    let mut world = World::new(1, path, 1, data, [0, 0]);
    world.ends[0].stays = true;
    world.run_for(Duration::from_secs(10));
    assert!(sender(&world).mss() <= 700);
    world.path = Path::default();
    for (pause, is_longer) in [(400, false), (250, true)] {
        world.run_for(Duration::from_secs(pause));
        world.ends[0].to_send.extend(pattern(100_000, 1));
        world.run_for(Duration::from_secs(1));
        let is_longest = sender(&world).mss() == u32::from(MSS);
        assert_eq!(is_longest, is_longer, "after {pause} seconds more");
    }
}

#[test]
fn a_short_outage_costs_no_more_than_a_while_of_shorter_segments() {
    let path = Path {
        longest: Some(0),
        ..Path::default()
    };
    let data = [pattern(3_000_000, 1), Vec::new()];
    let mut world = World::new(1, Path::default(), 1, data.clone(), [0, 0]);
    world.run_for(RTT * 4);
    world.path = path;
    world.run_for(Duration::from_secs(1));
    world.path = Path::default();
    world.run();
    assert!(world.ends[1].received == data[0], "bytes are wrong");
    assert!(sender(&world).mss() >= u32::from(MSS) - 16);
}
