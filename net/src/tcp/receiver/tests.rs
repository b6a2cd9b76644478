extern crate std;

use super::*;
use crate::tcp::segment::HEADER;
use std::vec;
use std::vec::Vec;

const START: Sequence = Sequence(u32::MAX - 100_000);
const SIZE: u32 = 1_000;
const NOW: Instant = Instant::from_nanos(1_000_000_000);

/// A receiver whose peer may send as much as a connection may at first.
fn receiver(most: u32, shift: u8) -> Receiver {
    Receiver::new(START, FIRST_WINDOW.min(most), most, shift, SIZE)
}

/// Gives a receiver a segment of `length` bytes.
fn arrive(receiver: &mut Receiver, pool: &mut Pool, sequence: Sequence, length: usize) {
    let mut bytes = vec![0; HEADER + length];
    bytes[4..8].copy_from_slice(&sequence.0.to_be_bytes());
    bytes[12] = (HEADER / 4) as u8 * 16;
    bytes[13] = Flags::ACK.0;
    let segment = Segment::parse(&bytes).expect("a segment");
    receiver.receive(&segment, pool, NOW);
}

/// Receives what comes next, and acknowledges it. Returns the window in bytes.
fn arrive_next(receiver: &mut Receiver, pool: &mut Pool, length: usize) -> u32 {
    let next = receiver.next();
    arrive(receiver, pool, next, length);
    assert_eq!(receiver.next(), next + length as u32, "all of it is taken");
    let window = receiver.window();
    receiver.acknowledged();
    u32::from(window) << receiver.shift
}

fn read_all(receiver: &mut Receiver, pool: &mut Pool) -> bool {
    let mut buffer: Vec<u8> = vec![0; receiver.readable()];
    receiver.read(&mut buffer, pool).1
}

#[test]
fn the_peer_hears_of_room_where_windows_are_not_shifted() {
    let mut pool = Pool::new(4 << 20);
    let mut receiver = receiver(1 << 20, 0);
    for _ in 0..600 {
        arrive_next(&mut receiver, &mut pool, 1_000);
        read_all(&mut receiver, &mut pool);
    }
    // The application pauses until the window is closed but for a little.
    while arrive_next(&mut receiver, &mut pool, 1_000) >= 1_000 {}
    assert!(read_all(&mut receiver, &mut pool));
    assert_eq!(receiver.window(), u16::MAX);
}
