//! The virtio network card's driver beside a device in the same process.

mod torture;

use fata_net::{MacAddress, Net, TransmitError, VirtioNet};
use fata_task::Event;
use fata_virtio::fake::{DeviceQueue, FakeDevice, FakeHal, FakeTransport, assert_nothing_shared};
use fata_virtio::{SetUpError, feature};
use proptest::prelude::*;
use std::task::{Context, Poll, Waker};
use virtio_drivers::transport::DeviceType;

type Card = VirtioNet<FakeHal, FakeTransport>;

const MTU: u64 = 1 << 3;
const MAC: u64 = 1 << 5;
const MODERN: u64 = feature::VERSION_1 | MAC | MTU;
/// Hardware address, status, queue pairs, and 1,400 as MTU.
const CONFIGURATION: [u8; 12] = [2, 4, 6, 8, 10, 12, 1, 0, 1, 0, 0x78, 5];

struct Bench {
    fake: FakeDevice,
    event: &'static Event,
    card: Card,
    receive: DeviceQueue,
    transmit: DeviceQueue,
}

impl Bench {
    fn new(features: u64, sizes: [u32; 2]) -> Self {
        let device = FakeDevice::new(DeviceType::Network, features, &sizes, &CONFIGURATION);
        let (fake, transport) = device;
        let event: &'static Event = Box::leak(Box::default());
        let card = VirtioNet::new(transport, event).expect("the device is honest");
        Self {
            receive: fake.queue(0),
            transmit: fake.queue(1),
            fake,
            event,
            card,
        }
    }

    /// The device delivers a frame behind a header of `header` bytes. Whether it interrupts.
    fn deliver(&mut self, header: usize, frame: &[u8]) -> bool {
        let chain = self.receive.take().expect("there is a buffer");
        let bytes = [&vec![0; header], frame].concat();
        self.receive.complete(&chain, &bytes)
    }

    fn poll(&mut self) -> Poll<()> {
        self.card
            .poll_ready(&mut Context::from_waker(Waker::noop()))
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), TransmitError> {
        let fill = |place: &mut [u8]| place.copy_from_slice(frame);
        self.card.transmit(frame.len(), fill)
    }
}

#[test]
fn frames_go_both_ways() {
    for (features, header) in [(MODERN, 12), (MAC, 10)] {
        let mut bench = Bench::new(features, [256, 256]);
        assert_eq!(bench.card.mac(), MacAddress([2, 4, 6, 8, 10, 12]));
        assert_eq!(bench.receive.waiting(), 256);
        assert_eq!(bench.fake.take_notifications(0), 1);
        assert!(bench.card.receive().is_none());
        bench.deliver(header, b"incoming");
        let frame = bench.card.receive().expect("it was delivered");
        assert_eq!(frame.as_ref(), b"incoming");
        bench.card.recycle(frame);
        assert_eq!(bench.receive.waiting(), 255);
        for frame in [&b"one"[..], b"two"] {
            bench.send(frame).expect("there is room");
        }
        assert!(bench.transmit.take().is_none(), "not flushed yet");
        bench.card.flush();
        assert_eq!(bench.receive.waiting(), 256);
        assert_eq!(bench.fake.take_notifications(1), 1);
        for frame in [&b"one"[..], b"two"] {
            let chain = bench.transmit.take().expect("two were sent");
            assert_eq!(chain.readable, [&vec![0; header], frame].concat());
        }
        assert_eq!(bench.card.counters().notifications, 3);
        drop(bench);
        assert_nothing_shared();
    }
}

#[test]
fn small_queues_are_used_as_they_are() {
    let mut bench = Bench::new(MODERN, [100, 2]);
    assert_eq!(bench.receive.waiting(), 64);
    assert_eq!(bench.card.mtu(), 1_400);
    bench.send(b"one").expect("there is room");
    bench.send(b"two").expect("there is room");
    assert_eq!(bench.send(b"three"), Err(TransmitError::Full));
    assert_eq!(bench.send(&[0; 1_415]), Err(TransmitError::TooLong));
    bench.card.flush();
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
    assert!(bench.card.receive().is_some());
    assert_eq!(bench.poll(), Poll::Pending);
    assert!(bench.deliver(12, b"second"), "somebody waits");
    assert!(bench.deliver(12, b"third"), "nobody was told yet");
    bench.fake.interrupt();
    bench.event.signal();
    assert_eq!(bench.poll(), Poll::Ready(()));
    assert!(!bench.deliver(12, b"fourth"), "nobody waits");
    // Spurious interrupts are acknowledged, and the task goes on waiting.
    while bench.card.receive().is_some() {}
    bench.fake.interrupt();
    bench.event.signal();
    assert_eq!(bench.poll(), Poll::Pending);
    assert!(!bench.fake.take_interrupt());
}

#[test]
fn a_device_that_breaks_the_rules_is_reset_and_left_alone() {
    let mut bench = Bench::new(MODERN, [256, 256]);
    bench.receive.put_used(256, 64);
    assert!(bench.card.receive().is_none());
    assert!(!bench.fake.is_running(), "it is reset");
    assert!(!bench.card.can_transmit());
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
        Card::new(transport, event).err()
    };
    assert_eq!(
        refused(&[256], &CONFIGURATION),
        Some(SetUpError::NoQueue(1))
    );
    let short = refused(&[256, 256], &CONFIGURATION[..11]);
    assert_eq!(short, Some(SetUpError::NoField));
    assert_nothing_shared();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_driver_survives(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        torture::card(&bytes);
    }
}
