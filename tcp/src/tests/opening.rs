//! Handshakes out of the ordinary.

use super::solo::{IRS, ISS, Solo, header};
use super::*;

#[test]
fn two_ends_that_open_at_the_same_time_meet() {
    let data = [pattern(3_000, 1), pattern(2_000, 2)];
    let mut world = World::new(1, Path::default(), 1, data.clone(), [0, 0]);
    let other = Connection::connecting(Sequence(77), MSS, settings(), world.now);
    world.ends[1].connection = Some(other);
    let took = world.run();
    assert!(took < RTT * 5, "{took:?}");
    let [first, second] = &world.ends;
    assert!(first.received == data[1] && second.received == data[0]);
    // Of each side: SYN, SYN with ACK, the answer to it, data, FIN, and what acknowledges those.
    assert!(world.serial <= 20, "{}", world.serial);
}

#[test]
fn a_syn_that_crosses_is_answered_once_and_its_answer_without_a_syn() {
    let mut end = Solo::connecting();
    assert_eq!(end.sent()[0].0.flags, Flags::SYN);
    end.receive(header(Flags::SYN, IRS, Sequence(0), 60_000), &[]);
    let syn_ack = Flags::SYN.with(Flags::ACK);
    let answer = end.sent();
    assert_eq!((answer.len(), answer[0].0.flags), (1, syn_ack));
    assert_eq!(end.sent(), []);
    end.receive(header(syn_ack, IRS, ISS + 1, 60_000), &[]);
    let answer = end.sent();
    assert_eq!((answer.len(), answer[0].0.flags), (1, Flags::ACK));
    assert_eq!(
        (
            answer[0].0.sequence_number,
            answer[0].0.acknowledgment_number
        ),
        (ISS + 1, IRS + 1)
    );
}

#[test]
fn a_reset_of_another_connection_is_not_sent_in_this_one() {
    let mut end = Solo::connecting();
    end.sent();
    let syn_ack = Flags::SYN.with(Flags::ACK);
    // The device has no room between the two.
    end.receive(header(syn_ack, IRS, ISS + 7, 60_000), &[]);
    end.receive(header(syn_ack, IRS, ISS + 1, 60_000), &[]);
    let fin = Flags::FIN.with(Flags::ACK);
    end.receive(header(fin, IRS + 1, ISS + 1, 60_000), &[]);
    end.connection.close();
    let mut sent = end.sent();
    end.receive(header(Flags::ACK, IRS + 2, ISS + 2, 60_000), &[]);
    assert_eq!(end.connection.state(), State::Closed);
    sent.extend(end.sent());
    assert_eq!(sent.len(), 1);
    let flags = sent[0].0.flags;
    assert!(flags.has(Flags::FIN) && !flags.has(Flags::RST));
}
