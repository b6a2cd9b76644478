extern crate std;

use super::*;
use crate::segment::HEADER;
use std::vec;
use std::vec::Vec;

const START: Sequence = Sequence(u32::MAX - 100_000);
const MSS: u32 = 1_000;
const NOW: Instant = Instant::from_nanos(1_000_000_000);

/// A receiver whose peer may send as much as a connection may at first.
fn receiver(most: u32, window_scale: u8) -> Receiver {
    Receiver::new(START, INITIAL_RCV_WND.min(most), most, window_scale, MSS)
}

/// Gives a receiver a segment of `length` bytes.
fn arrive(receiver: &mut Receiver, pool: &mut Pool, sequence_number: Sequence, length: usize) {
    let mut bytes = vec![0; HEADER + length];
    bytes[4..8].copy_from_slice(&sequence_number.0.to_be_bytes());
    bytes[12] = (HEADER / 4) as u8 * 16;
    bytes[13] = Flags::ACK.0;
    let segment = Segment::parse(&bytes).expect("a segment");
    receiver.receive(&segment, pool, NOW);
}

/// Gives a receiver what comes next. It is to be complete up to `end` then.
fn arrive_next_to(receiver: &mut Receiver, pool: &mut Pool, length: usize, end: Sequence) {
    let next = receiver.rcv_nxt();
    arrive(receiver, pool, next, length);
    assert_eq!(receiver.rcv_nxt(), end);
}

/// Receives what comes next, and acknowledges it. Returns the window in bytes.
fn arrive_next(receiver: &mut Receiver, pool: &mut Pool, length: usize) -> u32 {
    let end = receiver.rcv_nxt() + length as u32;
    arrive_next_to(receiver, pool, length, end);
    let window = receiver.window_field();
    receiver.ack_sent();
    u32::from(window) << receiver.window_scale
}

fn read_all(receiver: &mut Receiver, pool: &mut Pool) -> bool {
    let mut buffer: Vec<u8> = vec![0; receiver.readable()];
    receiver.read(&mut buffer, pool).1
}

#[test]
fn the_peer_hears_of_room_where_windows_are_not_shifted() {
    let mut pool = Pool::new(crate::Unlimited, 4 << 20);
    let mut receiver = receiver(1 << 20, 0);
    for _ in 0..600 {
        arrive_next(&mut receiver, &mut pool, 1_000);
        read_all(&mut receiver, &mut pool);
    }
    // The application pauses until the window is closed but for a little.
    while arrive_next(&mut receiver, &mut pool, 1_000) >= 1_000 {}
    assert!(read_all(&mut receiver, &mut pool));
    assert_eq!(receiver.window_field(), u16::MAX);
}

#[test]
fn bytes_behind_gaps_leave_memory_for_those_in_order() {
    let mut pool = Pool::new(crate::Unlimited, 1 << 20);
    let mut greedy: Vec<Receiver> = (0..16).map(|_| receiver(1 << 20, 5)).collect();
    for receiver in &mut greedy {
        arrive(receiver, &mut pool, START + (INITIAL_RCV_WND - 1), 1);
    }
    assert!(pool.used() >= 256 * 1024, "a few of them are stored");
    assert!(pool.used() <= 512 * 1024);
    let mut honest = receiver(1 << 20, 5);
    arrive_next(&mut honest, &mut pool, 8 * 1024);
    // A range behind a gap, but in memory that is there, is still stored.
    honest.read(&mut [0; 4_000], &mut pool);
    let next = honest.rcv_nxt();
    arrive(&mut honest, &mut pool, next + 1_000, 1_000);
    arrive_next_to(&mut honest, &mut pool, 1_000, next + 2_000);
}

#[test]
fn without_memory_for_a_long_segment_its_beginning_is_taken() {
    let mut pool = Pool::new(crate::Unlimited, 64 * 1024);
    let mut others: Vec<_> = core::iter::from_fn(|| pool.take(8 * 1024)).collect();
    let mut receiver = receiver(1 << 20, 5);
    arrive_next_to(&mut receiver, &mut pool, 20_000, START + 2_048);
    arrive_next_to(&mut receiver, &mut pool, 20_000, START + 2_048);
    read_all(&mut receiver, &mut pool);
    arrive_next_to(&mut receiver, &mut pool, 20_000, START + 4_096);
    read_all(&mut receiver, &mut pool);
    others.drain(..).for_each(|buffer| pool.put(buffer));
    arrive_next_to(&mut receiver, &mut pool, 20_000, START + 24_096);
}

#[test]
fn what_nobody_reads_takes_no_memory_but_counts() {
    let mut pool = Pool::new(crate::Unlimited, 1 << 20);
    let mut receiver = receiver(1 << 20, 5);
    let next = receiver.rcv_nxt();
    arrive(&mut receiver, &mut pool, next + 2_000, 1_000);
    assert!(pool.used() > 0);
    receiver.discard(&mut pool);
    assert_eq!(pool.used(), 0, "what lies behind the gap goes, too");
    arrive(&mut receiver, &mut pool, next + 4_000, 1_000);
    arrive_next_to(&mut receiver, &mut pool, 2_000, next + 3_000);
    arrive_next_to(&mut receiver, &mut pool, 1_000, next + 5_000);
    assert_eq!((receiver.readable(), pool.used()), (0, 0));
    for _ in 0..1_000 {
        arrive_next(&mut receiver, &mut pool, 1_000);
    }
}
