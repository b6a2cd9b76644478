//! The NIC's driver and a hostile device, both of which do what bytes say.

use crate::{LARGEST_FRAME, Net, Offload, PartialChecksum, TransmitError, VirtioNet};
use fata_task::Event;
use fata_virtio::fake::schedule::Watch;
use fata_virtio::fake::{FakeDevice, FakeHal, Hostile, Script, assert_nothing_shared};
use fata_virtio::feature;
use std::cell::RefCell;
use std::num::NonZeroU16;
use std::prelude::v1::*;
use std::rc::Rc;
use std::task::{Context, Waker};
use virtio_drivers::transport::DeviceType;

const FEATURE_MTU: u64 = 1 << 3;
const FEATURE_MAC: u64 = 1 << 5;
/// Checksums, segmentation and mergeable buffers, both ways.
const OFFLOADS: u64 = 1 << 15 | 3 << 11 | 3 << 7 | 3;

/// Bytes of an Ethernet header with the tag of a VLAN.
const HEADER: usize = 18;
/// Bytes of a large buffer.
const LONGEST: usize = (LARGEST_FRAME + 12).next_multiple_of(64);
/// Frames that the driver's user holds, at most.
const HELD: usize = 16;

/// The NIC's interrupt.
static EVENT: Event = Event::new();

const SEGMENTS: Offload = Offload::Segments {
    checksum: PartialChecksum {
        start: 34,
        offset: 16,
    },
    ipv6: false,
    headers: 54,
    size: NonZeroU16::new(1_448).unwrap(),
};

struct User {
    nic: VirtioNet,
    frames: Vec<<VirtioNet as Net>::Frame>,
    /// Bytes of the longest frame that the driver may deliver.
    longest: usize,
}

impl User {
    fn step(&mut self, script: &mut Script) {
        match script.byte() % 8 {
            0..=2 => self.receive(),
            3 => self.transmit(script),
            4 => self.nic.flush(),
            5 => {
                if let Some(frame) = self.frames.pop() {
                    self.nic.recycle(frame);
                }
            }
            6 => EVENT.signal(),
            _ => {
                let mut context = Context::from_waker(Waker::noop());
                let _ = self.nic.poll_ready(&mut context);
            }
        }
    }

    fn receive(&mut self) {
        if let Some(frame) = self.nic.receive() {
            assert!(frame.as_ref().len() <= self.longest);
            if self.frames.len() < HELD {
                self.frames.push(frame);
            } else {
                self.nic.recycle(frame);
            }
        }
    }

    fn transmit(&mut self, script: &mut Script) {
        let segments = self.nic.offloads().tcp_ipv4 && script.byte() & 1 != 0;
        let length = usize::from(script.byte()) * if segments { 257 } else { 6 };
        let fits = segments || length <= self.nic.mtu() + HEADER;
        let room = self.nic.can_transmit();
        let sent = self.nic.transmit_offloaded(length, |frame| {
            assert_eq!(frame.len(), length);
            frame.fill(0xa5);
            ((), if segments { SEGMENTS } else { Offload::None })
        });
        match sent {
            Err(TransmitError::TooLong) => assert!(!fits),
            // Where there was no room, the device may just have made some.
            Err(TransmitError::Full) => assert!(!room),
            Ok(()) => assert!(fits),
        }
    }
}

/// Plays a NIC: the first half of the bytes is the driver's, the second the device's.
pub fn nic(bytes: &[u8]) {
    let (ours, theirs) = bytes.split_at(bytes.len() / 2);
    let mut script = Script::new(ours);
    let flags = u64::from(script.byte());
    let bit = |on: u64, feature| if flags & on != 0 { feature } else { 0 };
    let features =
        bit(1, feature::VERSION_1) | bit(2, FEATURE_MTU) | bit(64, OFFLOADS) | FEATURE_MAC;
    let sizes = [1 << (flags >> 2 & 3), 1 << (flags >> 4 & 3)];
    let configuration: [u8; 12] = std::array::from_fn(|_| script.byte());
    let (fake, transport) = FakeDevice::new(DeviceType::Network, features, &sizes, &configuration);
    EVENT.clear();
    let large = if flags & 128 != 0 { 2 } else { 0 };
    let nic = VirtioNet::new::<FakeHal>(transport, &EVENT, large).expect("the set-up is honest");
    let hostile = Hostile::new(&fake, 2, Script::new(theirs));
    let hostile = Rc::new(RefCell::new(hostile));
    let watching = Rc::clone(&hostile);
    let watch = Watch::new(move || watching.borrow_mut().act());
    let mut user = User {
        nic,
        frames: Vec::new(),
        longest: if large > 0 { LONGEST } else { 1_536 - 10 },
    };
    while !script.is_over() {
        user.step(&mut script);
        hostile.borrow_mut().act();
    }
    drop(watch);
    drop(user);
    assert_nothing_shared();
}
