//! Segments of strangers who have to guess.

use super::solo::{IRS, ISS, Solo, header};
use super::*;

#[test]
fn data_with_an_acknowledgement_of_long_ago_is_challenged() {
    let mut end = Solo::accepted(60_000);
    for (distance, is_taken) in [(1_000_000, false), (60_001, false), (60_000, true)] {
        let forged = header(Flags::ACK, IRS + 1, ISS + 1 - distance, 60_000);
        end.receive(forged, b"evil");
        assert_eq!(end.connection.readable() > 0, is_taken, "{distance}");
        end.now = end.now + RTT;
        let answers = end.sent();
        assert_eq!(answers.len(), 1, "{distance}");
    }
    assert_eq!(end.connection.counts.challenged, 2);
}

#[test]
fn an_old_acknowledgement_does_not_close_the_window() {
    let mut end = Solo::accepted(60_000);
    end.receive(header(Flags::ACK, IRS + 50_000, ISS, 0), &[]);
    end.write(5_000);
    let lengths: Vec<_> = end.sent().iter().map(|(_, length)| *length).collect();
    assert_eq!(lengths, [1_000; 5]);
}
