//! The virtio NIC's driver beside a device in the same process.

use fata_net::{Frame, MacAddress, Net, Offload, PartialChecksum, TransmitError, VirtioNet};
use fata_task::Event;
use fata_virtio::fake::{DeviceQueue, FakeDevice, FakeHal, assert_nothing_shared};
use fata_virtio::{SetUpError, feature};
use proptest::prelude::*;
use std::num::NonZeroU16;
use std::task::{Context, Poll, Waker};
use virtio_drivers::transport::DeviceType;

const MTU: u64 = 1 << 3;
const MAC: u64 = 1 << 5;
const MODERN: u64 = feature::VERSION_1 | MAC | MTU;
/// Checksums, segmentation and mergeable buffers, both ways.
const OFFLOADS: u64 = MODERN | 1 << 15 | 3 << 11 | 3 << 7 | 3;
/// Hardware address, status, queue pairs, and 1,400 as MTU.
const CONFIGURATION: [u8; 12] = [2, 4, 6, 8, 10, 12, 1, 0, 1, 0, 0x78, 5];

struct Bench {
    fake: FakeDevice,
    event: &'static Event,
    nic: VirtioNet,
    receive: DeviceQueue,
    transmit: DeviceQueue,
}

impl Bench {
    fn new(features: u64, sizes: [u32; 2]) -> Self {
        let device = FakeDevice::new(DeviceType::Network, features, &sizes, &CONFIGURATION);
        let (fake, transport) = device;
        let event: &'static Event = Box::leak(Box::default());
        let nic = VirtioNet::new::<FakeHal>(transport, event, 4).expect("the device is honest");
        Self {
            receive: fake.queue(0),
            transmit: fake.queue(1),
            fake,
            event,
            nic,
        }
    }

    /// The device delivers a frame behind a header of `header` bytes. Tells whether it interrupts.
    fn deliver(&mut self, header: usize, frame: &[u8]) -> bool {
        let chain = self.receive.take().expect("there is a buffer");
        let bytes = [&vec![0; header], frame].concat();
        self.receive.complete(&chain, &bytes)
    }

    fn poll(&mut self) -> Poll<()> {
        self.nic.poll_ready(&mut Context::from_waker(Waker::noop()))
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), TransmitError> {
        let fill = |place: &mut [u8]| place.copy_from_slice(frame);
        self.nic.transmit(frame.len(), fill)
    }
}

#[test]
fn frames_go_both_ways() {
    for (features, header) in [(MODERN, 12), (MAC, 10)] {
        let mut bench = Bench::new(features, [256, 256]);
        assert_eq!(bench.nic.mac(), MacAddress([2, 4, 6, 8, 10, 12]));
        assert_eq!(bench.receive.waiting(), 256);
        assert_eq!(bench.fake.take_notifications(0), 1);
        assert!(bench.nic.receive().is_none());
        bench.deliver(header, b"incoming");
        let frame = bench.nic.receive().expect("it was delivered");
        assert_eq!(frame.as_ref(), b"incoming");
        bench.nic.recycle(frame);
        assert_eq!(bench.receive.waiting(), 255);
        for frame in [&b"one"[..], b"two"] {
            bench.send(frame).expect("there is room");
        }
        assert!(bench.transmit.take().is_none(), "not flushed yet");
        bench.nic.flush();
        assert_eq!(bench.receive.waiting(), 256);
        assert_eq!(bench.fake.take_notifications(1), 1);
        for frame in [&b"one"[..], b"two"] {
            let chain = bench.transmit.take().expect("two were sent");
            assert_eq!(chain.readable, [&vec![0; header], frame].concat());
        }
        assert_eq!(bench.nic.counters().notifications, 3);
        drop(bench);
        assert_nothing_shared();
    }
}

#[test]
fn small_queues_are_used_as_they_are() {
    let mut bench = Bench::new(MODERN, [100, 2]);
    assert_eq!(bench.receive.waiting(), 64);
    assert_eq!(bench.nic.mtu(), 1_400);
    bench.send(b"one").expect("there is room");
    bench.send(b"two").expect("there is room");
    assert_eq!(bench.send(b"three"), Err(TransmitError::Full));
    assert_eq!(bench.send(&[0; 1_419]), Err(TransmitError::TooLong));
    bench.nic.flush();
    // Who found the queue full waits for room.
    assert_eq!(bench.poll(), Poll::Pending);
    let chain = bench.transmit.take().expect("two were sent");
    assert!(bench.transmit.complete(&chain, b""), "it interrupts");
    bench.event.signal();
    assert_eq!(bench.poll(), Poll::Ready(()));
    bench.send(b"three").expect("there is room again");
}

#[test]
fn interrupts_are_on_only_while_a_task_waits() {
    let mut bench = Bench::new(MODERN, [256, 256]);
    assert!(!bench.deliver(12, b"first"), "nobody waits");
    assert_eq!(bench.poll(), Poll::Ready(()));
    assert!(bench.nic.receive().is_some());
    assert_eq!(bench.poll(), Poll::Pending);
    assert!(bench.deliver(12, b"second"), "somebody waits");
    assert!(bench.deliver(12, b"third"), "nobody was told yet");
    bench.fake.interrupt();
    bench.event.signal();
    assert_eq!(bench.poll(), Poll::Ready(()));
    assert!(!bench.deliver(12, b"fourth"), "nobody waits");
    // Spurious interrupts are acknowledged, and the task goes on waiting.
    while bench.nic.receive().is_some() {}
    bench.fake.interrupt();
    bench.event.signal();
    assert_eq!(bench.poll(), Poll::Pending);
    assert!(!bench.fake.take_interrupt());
}

#[test]
fn frames_that_come_soon_are_polled_for_before_the_interrupt() {
    for polls in [true, false] {
        let mut bench = Bench::new(MODERN, [256, 256]);
        if !polls {
            bench.nic.disable_busy_poll();
        }
        for _ in 0..20 {
            bench.deliver(12, b"request");
            assert_eq!(bench.poll(), Poll::Ready(()));
            assert!(bench.nic.receive().is_some());
            bench.nic.flush();
        }
        assert_eq!(bench.poll(), Poll::Pending);
        let interrupts = bench.deliver(12, b"next");
        assert_eq!(interrupts, !polls);
        if interrupts {
            bench.event.signal();
        }
        assert_eq!(bench.poll(), Poll::Ready(()));
        assert!(bench.nic.receive().is_some());
        bench.nic.flush();
        // Nothing comes: the driver polls for a while, then it enables interrupts.
        for _ in 0..1_000 {
            assert_eq!(bench.poll(), Poll::Pending);
        }
        assert!(bench.deliver(12, b"late"), "it interrupts");
    }
}

#[test]
fn a_crowded_card_has_room_left_for_others_than_strangers() {
    const BUFFERS: usize = 128;
    let mut bench = Bench::new(MODERN, [256, 256]);
    let mut sent = 0;
    while !bench.nic.is_crowded() {
        assert_eq!(bench.send(b"frame"), Ok(()));
        sent += 1;
    }
    let left = (0..).take_while(|_| bench.send(b"frame").is_ok()).count();
    assert_eq!(sent + left, BUFFERS);
    assert!(left.abs_diff(BUFFERS / 4) <= 1, "{left}");
}

#[test]
fn a_device_that_breaks_the_rules_is_reset_and_left_alone() {
    let mut bench = Bench::new(MODERN, [256, 256]);
    bench.receive.put_used(256, 64);
    assert!(bench.nic.receive().is_none());
    assert!(!bench.fake.is_running(), "it is reset");
    assert!(!bench.nic.can_transmit());
    assert_eq!(bench.send(b"frame"), Err(TransmitError::Full));
    // Nobody waits for it in a loop, whatever it signals.
    bench.event.signal();
    assert_eq!(bench.poll(), Poll::Pending);
    drop(bench);
    assert_nothing_shared();
}

#[test]
fn a_device_that_cannot_be_a_card_is_refused() {
    let refused = |queues: &[u32], configuration: &[u8]| {
        let (_, transport) = FakeDevice::new(DeviceType::Network, MODERN, queues, configuration);
        let event: &'static Event = Box::leak(Box::default());
        VirtioNet::new::<FakeHal>(transport, event, 4).err()
    };
    assert_eq!(
        refused(&[256], &CONFIGURATION),
        Some(SetUpError::NoQueue(1))
    );
    let short = refused(&[256, 256], &CONFIGURATION[..11]);
    assert_eq!(short, Some(SetUpError::NoField));
    assert_nothing_shared();
}

const SEGMENTS: Offload = Offload::Segments {
    checksum: PartialChecksum {
        start: 54,
        offset: 16,
    },
    ipv6: true,
    headers: 74,
    size: NonZeroU16::new(1_440).unwrap(),
};

#[test]
fn a_frame_says_what_the_device_has_to_do() {
    let mut bench = Bench::new(OFFLOADS, [256, 256]);
    assert!(bench.nic.offloads().tcp_ipv6);
    let mut send = |length: usize, offload| {
        let fill = |frame: &mut [u8]| (frame.fill(7), offload);
        bench.nic.transmit_offloaded(length, fill)
    };
    let Offload::Segments { checksum, .. } = SEGMENTS else {
        unreachable!("it is one");
    };
    send(60_000, SEGMENTS).expect("there is room");
    send(60, Offload::Checksum(checksum)).expect("there is room");
    assert_eq!(send(1_419, Offload::None), Err(TransmitError::TooLong));
    assert_eq!(send(70_000, SEGMENTS), Err(TransmitError::TooLong));
    // Of four large buffers one is under way, and the one that was refused is free again.
    for _ in 0..3 {
        send(2_000, SEGMENTS).expect("there is room");
    }
    assert_eq!(send(60, Offload::None), Err(TransmitError::Full));
    bench.nic.flush();
    let mut sent = || bench.transmit.take().expect("it was sent").readable;
    let cut = sent();
    assert_eq!(cut[..12], [1, 4, 74, 0, 0xa0, 5, 54, 0, 16, 0, 0, 0]);
    assert_eq!(cut.len(), 60_012);
    let whole = sent();
    assert_eq!(whole[..12], [1, 0, 0, 0, 0, 0, 54, 0, 16, 0, 0, 0]);
}

/// The header of a received frame in so many buffers, and the frame's first bytes.
fn first_part(flags: u8, buffers: u16, bytes: &[u8]) -> Vec<u8> {
    let mut part = vec![flags, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    part.extend(buffers.to_le_bytes());
    part.extend(bytes);
    part
}

#[test]
fn a_frame_over_several_buffers_is_merged() {
    let mut bench = Bench::new(OFFLOADS, [256, 256]);
    let frame: Vec<u8> = (0..5_000).map(|index| (index % 251) as u8).collect();
    for _ in 0..10 {
        // From the fifth frame on, some fit into the large buffers that were queued.
        let mut rest = frame.as_slice();
        let mut parts = Vec::new();
        while !rest.is_empty() {
            let chain = bench.receive.take().expect("there is a buffer");
            let header = if parts.is_empty() { 12 } else { 0 };
            let (now, later) = rest.split_at(rest.len().min(chain.room() - header));
            parts.push((chain, now));
            rest = later;
        }
        let count = parts.len() as u16;
        for (index, (chain, bytes)) in parts.iter().enumerate() {
            let first = first_part(2, count, bytes);
            let bytes = if index == 0 { first.as_slice() } else { bytes };
            bench.receive.complete(chain, bytes);
        }
        let received = bench.nic.receive().expect("it was delivered");
        assert!(received.is_verified() && received.as_ref() == frame);
        bench.nic.recycle(received);
        bench.nic.flush();
        assert_eq!(bench.receive.waiting(), 256);
    }
    drop(bench);
    assert_nothing_shared();
}

#[test]
fn checksums_are_vouched_for_only_if_that_was_agreed() {
    for (features, flags, verified) in [
        (OFFLOADS, 0, false),
        (OFFLOADS, 1, true),
        (OFFLOADS, 2, true),
        (MODERN, 3, false),
    ] {
        let mut bench = Bench::new(features, [256, 256]);
        let chain = bench.receive.take().expect("there is a buffer");
        bench
            .receive
            .complete(&chain, &first_part(flags, 1, b"frame"));
        let frame = bench.nic.receive().expect("it was delivered");
        assert_eq!(frame.is_verified(), verified);
    }
}

#[test]
fn a_frame_in_impossible_buffers_ends_the_device() {
    let too_long = vec![first_part(0, 45, &[0; 1_524]); 45];
    for parts in [
        vec![first_part(0, 0, b"in none")],
        vec![first_part(0, 2, b"the second is missing")],
        vec![vec![0; 11]],
        vec![first_part(0, u16::MAX, b"more than there are")],
        too_long,
    ] {
        let mut bench = Bench::new(OFFLOADS, [256, 256]);
        for part in &parts {
            let chain = bench.receive.take().expect("there is a buffer");
            bench.receive.complete(&chain, part);
        }
        assert!(bench.nic.receive().is_none());
        assert!(!bench.fake.is_running(), "it is reset");
    }
    assert_nothing_shared();
}

#[test]
fn offloads_that_need_others_are_not_used_without_them() {
    for (missing, expected) in [(1 << 15, true), (1 << 1, true), (1 << 0, false)] {
        let bench = Bench::new(OFFLOADS & !missing, [256, 256]);
        assert_eq!(bench.nic.offloads().tcp_ipv4, expected);
    }
    let accepted = |missing: u64| {
        let mut bench = Bench::new(OFFLOADS & !missing, [256, 256]);
        let chain = bench.receive.take().expect("there is a buffer");
        // Not mergeable: the number of buffers means nothing.
        bench.receive.complete(&chain, &first_part(0, 0, b"frame"));
        bench.nic.receive().is_some()
    };
    assert!(accepted(1 << 15) && accepted(1 << 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_driver_survives(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        fata_net::testing::nic(&bytes);
    }
}
