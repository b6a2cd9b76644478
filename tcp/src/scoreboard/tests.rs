//! Flights that are told what arrived.

extern crate std;
use super::*;
use proptest::prelude::*;

const MSS: u32 = 100;
const MIN_RTT: Duration = Duration::from_millis(10);

fn at(milliseconds: u64) -> Instant {
    Instant::from_nanos(milliseconds * 1_000_000)
}

/// Ten segments, sent so many milliseconds apart.
fn flight_of(pause: u64) -> Scoreboard {
    let mut scoreboard = Scoreboard::default();
    for number in 0..10 {
        let start = Sequence(number * MSS);
        scoreboard.push(start, start + MSS, at(pause * u64::from(number)));
    }
    scoreboard
}

fn flight() -> Scoreboard {
    flight_of(1)
}

#[test]
fn acknowledgements_measure_and_clear() {
    let mut scoreboard = flight();
    let summary = scoreboard.acknowledge(Sequence(250), MIN_RTT, at(20));
    assert_eq!(
        (summary.delivered, summary.rtt_sample),
        (250, Some(Duration::from_millis(18)))
    );
    assert_eq!(scoreboard.bytes(), 750);
    scoreboard.acknowledge(Sequence(1_000), MIN_RTT, at(30));
    assert!(scoreboard.is_empty() && !scoreboard.is_disturbed());
}

#[test]
fn three_later_segments_show_a_loss_and_its_repair_is_no_measurement() {
    let mut scoreboard = flight();
    let mut summary = AckSummary::default();
    scoreboard.sack(
        (Sequence(100), Sequence(300)),
        MSS,
        MIN_RTT,
        at(11),
        &mut summary,
    );
    assert_eq!(
        scoreboard.detect_loss(MSS, MIN_RTT / 4, at(11)),
        (false, Some(at(9) + MIN_RTT / 4))
    );
    scoreboard.sack(
        (Sequence(100), Sequence(400)),
        MSS,
        MIN_RTT,
        at(13),
        &mut summary,
    );
    assert_eq!((summary.delivered, scoreboard.bytes()), (300, 700));
    assert_eq!(
        scoreboard.detect_loss(MSS, MIN_RTT / 4, at(13)),
        (true, None)
    );
    assert_eq!(
        (scoreboard.bytes(), scoreboard.first_lost(MSS)),
        (600, Some((Sequence(0), Sequence(100))))
    );
    scoreboard.retransmitted((Sequence(0), Sequence(100)), at(14));
    assert_eq!((scoreboard.bytes(), scoreboard.has_lost()), (700, false));
    let summary = scoreboard.acknowledge(Sequence(400), MIN_RTT, at(26));
    assert_eq!((summary.delivered, summary.rtt_sample), (100, None));
    assert_eq!(scoreboard.bytes(), 600);
}

#[test]
fn an_overtaken_segment_gets_time() {
    let mut scoreboard = flight_of(0);
    let mut summary = AckSummary::default();
    scoreboard.sack(
        (Sequence(100), Sequence(200)),
        MSS,
        MIN_RTT,
        at(11),
        &mut summary,
    );
    scoreboard.acknowledge(Sequence(200), MIN_RTT, at(12));
    assert!(scoreboard.rack.reordering_seen);
    scoreboard.sack(
        (Sequence(300), Sequence(600)),
        MSS,
        MIN_RTT,
        at(15),
        &mut summary,
    );
    let (found, again) = scoreboard.detect_loss(MSS, MIN_RTT / 4, at(15));
    assert_eq!((found, again.is_some()), (false, true));
    assert_eq!(
        scoreboard.detect_loss(MSS, MIN_RTT / 4, at(18)),
        (true, None)
    );
}

#[test]
fn a_lost_repair_is_found_too() {
    let mut scoreboard = flight();
    let mut summary = AckSummary::default();
    scoreboard.sack(
        (Sequence(100), Sequence(500)),
        MSS,
        MIN_RTT,
        at(14),
        &mut summary,
    );
    scoreboard.detect_loss(MSS, MIN_RTT / 4, at(14));
    scoreboard.retransmitted((Sequence(0), Sequence(100)), at(15));
    scoreboard.push(Sequence(1_000), Sequence(1_100), at(16));
    scoreboard.sack(
        (Sequence(500), Sequence(1_100)),
        MSS,
        MIN_RTT,
        at(27),
        &mut summary,
    );
    assert_eq!(
        scoreboard.detect_loss(MSS, MIN_RTT / 4, at(27)),
        (true, None)
    );
    assert_eq!(scoreboard.first_lost(50), Some((Sequence(0), Sequence(50))));
}

/// Has the peer tell of every other piece of 64 bytes.
fn sack_alternately(scoreboard: &mut Scoreboard, bytes: u32) {
    for start in (64..bytes).step_by(128).map(Sequence) {
        let range = (start, start + 64);
        scoreboard.sack(range, 64, MIN_RTT, at(20), &mut AckSummary::default());
    }
}

#[test]
fn a_peer_that_has_every_other_piece_costs_bounded_memory() {
    const LONG: u32 = 64 * 1_024;
    let mut scoreboard = Scoreboard::default();
    for number in 0..16 {
        let start = Sequence(number * LONG);
        scoreboard.push(start, start + LONG, at(number.into()));
    }
    sack_alternately(&mut scoreboard, 16 * LONG);
    assert!(
        (MAX_RECORDS..=MAX_SPLIT_RECORDS + 2).contains(&scoreboard.records.len()),
        "{}",
        scoreboard.records.len()
    );
    let range = (Sequence(64), Sequence(16 * LONG));
    scoreboard.sack(range, 64, MIN_RTT, at(21), &mut AckSummary::default());
    assert_eq!(scoreboard.records.len(), 2);
    assert_eq!(scoreboard.bytes(), 64);
    scoreboard.acknowledge(Sequence(16 * LONG), MIN_RTT, at(22));
    assert!(scoreboard.is_empty() && !scoreboard.is_disturbed());
}

proptest! {
    #[test]
    fn the_sums_are_those_of_the_records(
        steps in proptest::collection::vec((0u8..6, 0u32..1_200, 0u32..1_200), 1..60),
    ) {
        let mut scoreboard = flight();
        let (mut next, mut now) = (Sequence(1_000), 10);
        for (step, one, other) in steps {
            now += 3;
            let range = (Sequence(one.min(other)), Sequence(one.max(other)).min(next));
            match step {
                0 => { scoreboard.acknowledge(range.0, MIN_RTT, at(now)); }
                1 => scoreboard.sack(range, MSS, MIN_RTT, at(now), &mut AckSummary::default()),
                2 => { scoreboard.detect_loss(MSS, MIN_RTT / 4, at(now)); }
                3 => if let Some(lost) = scoreboard.first_lost(one.max(1)) {
                    scoreboard.retransmitted(lost, at(now));
                },
                4 => if one < 100 { scoreboard.lose_all() } else { scoreboard.lose_first(MSS); },
                _ => {
                    scoreboard.push(next, next + MSS, at(now));
                    next = next + MSS;
                }
            }
            let sum = |mark| scoreboard.records.iter()
                .filter(|record| record.mark == mark).map(Record::len).sum::<u32>();
            prop_assert_eq!((scoreboard.sacked, scoreboard.lost), (sum(Mark::Sacked), sum(Mark::Lost)));
            prop_assert_eq!(scoreboard.bytes(), sum(Mark::InFlight));
            for (one, other) in scoreboard.records.iter().zip(scoreboard.records.iter().skip(1)) {
                prop_assert_eq!(one.end, other.start);
                prop_assert!(one.mark != Mark::Sacked || other.mark != Mark::Sacked);
            }
            prop_assert!(scoreboard.records.iter().all(|record| record.len() > 0));
        }
    }
}
