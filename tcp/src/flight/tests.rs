//! Flights that are told what arrived.

extern crate std;
use super::*;
use proptest::prelude::*;

const SIZE: u32 = 100;
const LEAST: Duration = Duration::from_millis(10);

fn at(milliseconds: u64) -> Instant {
    Instant::from_nanos(milliseconds * 1_000_000)
}

/// Ten segments, sent so many milliseconds apart.
fn flight_of(pause: u64) -> Flight {
    let mut flight = Flight::default();
    for number in 0..10 {
        let start = Sequence(number * SIZE);
        flight.push(start, start + SIZE, at(pause * u64::from(number)));
    }
    flight
}

fn flight() -> Flight {
    flight_of(1)
}

#[test]
fn acknowledgements_measure_and_clear() {
    let mut flight = flight();
    let news = flight.acknowledge(Sequence(250), LEAST, at(20));
    assert_eq!(
        (news.delivered, news.sample),
        (250, Some(Duration::from_millis(18)))
    );
    assert_eq!(flight.bytes(), 750);
    flight.acknowledge(Sequence(1_000), LEAST, at(30));
    assert!(flight.is_empty() && !flight.is_disturbed());
}

#[test]
fn three_later_segments_show_a_loss_and_its_repair_is_no_measurement() {
    let mut flight = flight();
    let mut news = News::default();
    flight.sack(
        (Sequence(100), Sequence(300)),
        SIZE,
        LEAST,
        at(11),
        &mut news,
    );
    assert_eq!(
        flight.find_lost(SIZE, LEAST / 4, at(11)),
        (false, Some(at(9) + LEAST / 4))
    );
    flight.sack(
        (Sequence(100), Sequence(400)),
        SIZE,
        LEAST,
        at(13),
        &mut news,
    );
    assert_eq!((news.delivered, flight.bytes()), (300, 700));
    assert_eq!(flight.find_lost(SIZE, LEAST / 4, at(13)), (true, None));
    assert_eq!(
        (flight.bytes(), flight.first_lost(SIZE)),
        (600, Some((Sequence(0), Sequence(100))))
    );
    flight.resend((Sequence(0), Sequence(100)), at(14));
    assert_eq!((flight.bytes(), flight.has_lost()), (700, false));
    let news = flight.acknowledge(Sequence(400), LEAST, at(26));
    assert_eq!((news.delivered, news.sample), (100, None));
    assert_eq!(flight.bytes(), 600);
}

#[test]
fn an_overtaken_segment_gets_time() {
    let mut flight = flight_of(0);
    let mut news = News::default();
    flight.sack(
        (Sequence(100), Sequence(200)),
        SIZE,
        LEAST,
        at(11),
        &mut news,
    );
    flight.acknowledge(Sequence(200), LEAST, at(12));
    assert!(flight.reordered);
    flight.sack(
        (Sequence(300), Sequence(600)),
        SIZE,
        LEAST,
        at(15),
        &mut news,
    );
    let (found, again) = flight.find_lost(SIZE, LEAST / 4, at(15));
    assert_eq!((found, again.is_some()), (false, true));
    assert_eq!(flight.find_lost(SIZE, LEAST / 4, at(18)), (true, None));
}

#[test]
fn a_lost_repair_is_found_too() {
    let mut flight = flight();
    let mut news = News::default();
    flight.sack(
        (Sequence(100), Sequence(500)),
        SIZE,
        LEAST,
        at(14),
        &mut news,
    );
    flight.find_lost(SIZE, LEAST / 4, at(14));
    flight.resend((Sequence(0), Sequence(100)), at(15));
    flight.push(Sequence(1_000), Sequence(1_100), at(16));
    flight.sack(
        (Sequence(500), Sequence(1_100)),
        SIZE,
        LEAST,
        at(27),
        &mut news,
    );
    assert_eq!(flight.find_lost(SIZE, LEAST / 4, at(27)), (true, None));
    assert_eq!(flight.first_lost(50), Some((Sequence(0), Sequence(50))));
}

/// Has the peer tell of every other piece of 64 bytes.
fn sack_alternately(flight: &mut Flight, bytes: u32) {
    for start in (64..bytes).step_by(128).map(Sequence) {
        let range = (start, start + 64);
        flight.sack(range, 64, LEAST, at(20), &mut News::default());
    }
}

#[test]
fn a_peer_that_has_every_other_piece_costs_bounded_memory() {
    const LONG: u32 = 64 * 1_024;
    let mut flight = Flight::default();
    for number in 0..16 {
        let start = Sequence(number * LONG);
        flight.push(start, start + LONG, at(number.into()));
    }
    sack_alternately(&mut flight, 16 * LONG);
    assert!(
        (MOST_RECORDS..=MOST_PARTS + 2).contains(&flight.records.len()),
        "{}",
        flight.records.len()
    );
    let range = (Sequence(64), Sequence(16 * LONG));
    flight.sack(range, 64, LEAST, at(21), &mut News::default());
    assert_eq!(flight.records.len(), 2);
    assert_eq!(flight.bytes(), 64);
    flight.acknowledge(Sequence(16 * LONG), LEAST, at(22));
    assert!(flight.is_empty() && !flight.is_disturbed());
}

proptest! {
    #[test]
    fn the_sums_are_those_of_the_records(
        steps in proptest::collection::vec((0u8..6, 0u32..1_200, 0u32..1_200), 1..60),
    ) {
        let mut flight = flight();
        let (mut next, mut now) = (Sequence(1_000), 10);
        for (step, one, other) in steps {
            now += 3;
            let range = (Sequence(one.min(other)), Sequence(one.max(other)).min(next));
            match step {
                0 => { flight.acknowledge(range.0, LEAST, at(now)); }
                1 => flight.sack(range, SIZE, LEAST, at(now), &mut News::default()),
                2 => { flight.find_lost(SIZE, LEAST / 4, at(now)); }
                3 => if let Some(lost) = flight.first_lost(one.max(1)) {
                    flight.resend(lost, at(now));
                },
                4 => if one < 100 { flight.lose_all() } else { flight.lose_first(SIZE); },
                _ => {
                    flight.push(next, next + SIZE, at(now));
                    next = next + SIZE;
                }
            }
            let sum = |mark| flight.records.iter()
                .filter(|record| record.mark == mark).map(Record::len).sum::<u32>();
            prop_assert_eq!((flight.sacked, flight.lost), (sum(Mark::Sacked), sum(Mark::Lost)));
            prop_assert_eq!(flight.bytes(), sum(Mark::InFlight));
            for (one, other) in flight.records.iter().zip(flight.records.iter().skip(1)) {
                prop_assert_eq!(one.end, other.start);
                prop_assert!(one.mark != Mark::Sacked || other.mark != Mark::Sacked);
            }
            prop_assert!(flight.records.iter().all(|record| record.len() > 0));
        }
    }
}
