extern crate std;
use super::*;
use crate::{LARGEST_FRAME, Link, PartialChecksum};
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};
use core::task::Waker;
use fata_task::simulate;
use std::vec::Vec;

/// When a simulation starts, in seconds since the Unix epoch: 2026-01-01.
const START: u32 = 1_767_225_600;

#[derive(Clone, Default)]
struct Memory {
    bytes: Rc<RefCell<Vec<u8>>>,
    flushes: Rc<Cell<u32>>,
}

impl CaptureSink for Memory {
    fn write(&mut self, bytes: &[u8]) {
        self.bytes.borrow_mut().extend_from_slice(bytes);
    }

    fn flush(&mut self) {
        self.flushes.set(self.flushes.get() + 1);
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// Seconds, nanoseconds, length and content of each record.
fn records(file: &[u8]) -> Vec<(u32, u32, u32, Vec<u8>)> {
    let mut rest = &file[24..];
    let mut all = Vec::new();
    while !rest.is_empty() {
        let end = 16 + word(rest, 8) as usize;
        let frame = rest[16..end].to_vec();
        all.push((word(rest, 0), word(rest, 4), word(rest, 12), frame));
        rest = &rest[end..];
    }
    all
}

#[test]
fn both_directions_are_written_in_their_order() {
    simulate(|tasks| async move {
        let (near, mut far) = Link::pair(8);
        let memory = Memory::default();
        let mut near = Capture::new(near, &tasks, LARGEST_FRAME, memory.clone());
        for byte in 1..=3 {
            tasks.sleep(Duration::from_nanos(1_000_000_001)).await;
            assert_eq!(near.transmit(20, |frame| frame.fill(byte)), Ok(()));
            assert_eq!(far.transmit(30, |frame| frame.fill(10 * byte)), Ok(()));
            far.flush();
            let frame = near.receive().expect("it has arrived");
            near.recycle(frame);
        }
        let file = memory.bytes.borrow();
        let header = [
            0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x11, 0, 1, 0, 1, 0, 0, 0,
        ];
        assert_eq!(&file[..24], header);
        let expected = (1..=3_u8).flat_map(|byte| {
            let (seconds, nanos) = (START + u32::from(byte), u32::from(byte));
            [
                (seconds, nanos, 20, std::vec![byte; 20]),
                (seconds, nanos, 30, std::vec![10 * byte; 30]),
            ]
        });
        assert!(records(&file).into_iter().eq(expected));
    });
}

#[test]
fn long_frames_are_cut_to_the_snap_length() {
    simulate(|tasks| async move {
        let (near, mut far) = Link::pair(8);
        let memory = Memory::default();
        let mut near = Capture::new(near, &tasks, 16, memory.clone());
        for length in [16, 17, 1_500] {
            assert_eq!(near.transmit(length, |frame| frame.fill(7)), Ok(()));
        }
        near.flush();
        let arrived = core::iter::from_fn(|| far.receive().map(|frame| frame.len()));
        assert_eq!(arrived.collect::<Vec<_>>(), [16, 17, 1_500]);
        let file = memory.bytes.borrow();
        assert_eq!(word(&file, 16), 16);
        let lengths = records(&file).into_iter();
        let lengths = lengths.map(|(.., length, frame)| (length, frame.len()));
        assert_eq!(
            lengths.collect::<Vec<_>>(),
            [(16, 16), (17, 16), (1_500, 16)]
        );
    });
}

#[test]
fn a_closure_is_a_sink_and_what_is_left_to_the_device_stays_so() {
    simulate(|tasks| async move {
        let (mut near, mut far) = Link::pair(8);
        let offloads = Offloads {
            checksum: true,
            ..Offloads::default()
        };
        near.set_offloads(offloads);
        let bytes = RefCell::new(Vec::new());
        let sink = |part: &[u8]| bytes.borrow_mut().extend_from_slice(part);
        let mut near = Capture::new(near, &tasks, LARGEST_FRAME, sink);
        assert_eq!(near.offloads(), offloads);
        let checksum = Offload::Checksum(PartialChecksum {
            start: 20,
            offset: 2,
        });
        let fill = |frame: &mut [u8]| (frame.fill(0), checksum);
        assert_eq!(near.transmit_offloaded(40, fill), Ok(()));
        near.flush();
        // The link has completed what the file shows as it was.
        assert_eq!(far.receive().map(|frame| frame[22]), Some(0xff));
        assert_eq!(records(&bytes.borrow())[0].3, [0; 40]);
        assert_eq!(near.counters().transmitted_frames, 1);
    });
}

#[test]
fn frames_that_are_refused_are_not_written() {
    simulate(|tasks| async move {
        let memory = Memory::default();
        let (near, _far) = Link::pair(1);
        let mut near = Capture::new(near, &tasks, LARGEST_FRAME, memory.clone());
        assert_eq!(near.transmit(20, |_| ()), Ok(()));
        assert_eq!(near.transmit(20, |_| ()), Err(TransmitError::Full));
        assert_eq!(near.transmit(2_000, |_| ()), Err(TransmitError::TooLong));
        assert_eq!(records(&memory.bytes.borrow()).len(), 1);
    });
}

#[test]
fn the_sink_is_flushed_when_nothing_waits() {
    simulate(|tasks| async move {
        let memory = Memory::default();
        let (near, mut far) = Link::pair(8);
        let mut near = Capture::new(near, &tasks, LARGEST_FRAME, memory.clone());
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(far.transmit(20, |_| ()), Ok(()));
        far.flush();
        assert!(near.poll_ready(&mut context).is_ready());
        assert_eq!(memory.flushes.get(), 0);
        assert!(near.receive().is_some());
        assert!(near.poll_ready(&mut context).is_pending());
        assert_eq!(memory.flushes.get(), 1);
    });
}
