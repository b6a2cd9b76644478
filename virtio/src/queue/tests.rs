//! The queue beside an honest device.

mod interleavings;
mod model;

use super::*;
use crate::fake::{DeviceQueue, FakeDevice, FakeHal, assert_nothing_shared};
use crate::{Device, Readable, Writable, feature};
use alloc::vec::Vec;
use std::string::ToString;
use virtio_drivers::transport::DeviceType;

/// A part to read and a part to write, either of which may be empty.
type Request = (Readable<Vec<u8>>, Writable<Vec<u8>>);
type Queue<B = Request> = SplitQueue<B>;

const ALL: u64 = feature::VERSION_1 | feature::EVENT_INDEX | feature::INDIRECT_DESCRIPTORS;

fn request(readable: &[u8], writable: usize) -> Request {
    (
        Readable::new(readable.to_vec(), readable.len()),
        Writable::new(vec![0; writable], writable),
    )
}

fn open<B: Buffer>(features: u64, most: u32, size: u16) -> (FakeDevice, Queue<B>) {
    let (fake, transport) = FakeDevice::new(DeviceType::Block, features, &[most], &[]);
    let device = Device::new::<FakeHal>(transport, ALL).expect("the device is honest");
    let queue = device.queue(0, size).expect("the device has a queue");
    device.start();
    (fake, queue)
}

/// Lets both sides begin at an index as after so many chains.
fn start_at<B: Buffer>(queue: &mut Queue<B>, device: &mut DeviceQueue, index: u16) {
    queue.rings.set_available_index(index);
    (queue.added, queue.published) = (index.into(), index.into());
    (queue.popped, queue.used) = (index, index);
    (device.taken, device.told) = (index, index);
    device.set_used_index(index);
}

#[test]
fn a_request_goes_there_and_back() {
    for features in [0, feature::VERSION_1, ALL, ALL & !feature::EVENT_INDEX] {
        let (fake, mut queue) = open(features, 8, 8);
        let mut device = fake.queue(0);
        queue.add(request(b"question", 10)).expect("there is room");
        assert!(device.take().is_none(), "not published yet");
        assert!(queue.publish());
        assert_eq!(fake.take_notifications(0), 1);
        let chain = device.take().expect("it is published");
        assert_eq!((&*chain.readable, chain.room()), (&b"question"[..], 10));
        assert_eq!(queue.pop().expect("nothing is wrong").map(|_| ()), None);
        assert!(device.complete(&chain, b"answer"));
        let used = queue.pop().expect("nothing is wrong").expect("it is back");
        assert_eq!(used.written, 6);
        assert_eq!(used.buffer.1.into_memory(), b"answer\0\0\0\0");
        assert_eq!(queue.held(), 0);
        drop(queue);
        assert!(!fake.is_running());
        assert_nothing_shared();
    }
}

#[test]
fn the_device_bounds_the_size() {
    for (most, asked, size) in [
        (256, 128, 128),
        (64, 128, 64),
        (100, 128, 64),
        (1, 128, 1),
        (40_000, 40_000, 32_768),
        (u32::MAX, 300, 256),
    ] {
        let (_, queue) = open::<Request>(feature::VERSION_1, most, asked);
        assert_eq!(queue.size(), size, "{most} offered, {asked} asked");
    }
}

/// As those of legacy devices over PCI, which the driver cannot make shorter.
#[test]
fn a_queue_of_a_fixed_size_is_used_in_part() {
    for features in [0, ALL & !feature::VERSION_1, ALL] {
        let (fake, transport) = FakeDevice::new(DeviceType::Block, features, &[256], &[]);
        fake.fix_sizes();
        let device = Device::new::<FakeHal>(transport, ALL).expect("the device is honest");
        let mut queue: Queue = device.queue(0, 8).expect("the device has a queue");
        device.start();
        assert_eq!(queue.size(), 8);
        let mut device = fake.queue(0);
        // Beyond the end of the rings, which are longer than what is used of them.
        for round in 0..600 {
            let byte = round as u8;
            queue.add(request(&[byte], 1)).expect("there is room");
            queue.publish();
            let chain = device.take().expect("it is published");
            assert_eq!(*chain.readable, [byte], "round {round}");
            device.complete(&chain, &[byte]);
            let used = queue.pop().expect("nothing is wrong").expect("it is back");
            assert_eq!(used.buffer.1.into_memory(), [byte], "round {round}");
        }
        let full = (0..9).find_map(|_| queue.add(request(&[1], 1)).err());
        assert_eq!(full.expect("it is full").reason, QueueError::Full);
        drop(queue);
        assert_nothing_shared();
    }
}

/// Where the platform has no IOMMU, a device that insists on it works as any other.
#[test]
fn what_changes_nothing_is_accepted() {
    for (offered, accepted) in [
        (
            ALL | feature::ACCESS_PLATFORM,
            ALL | feature::ACCESS_PLATFORM,
        ),
        // Bit 33 means nothing without version 1, and bit 27 nothing with it.
        (feature::ACCESS_PLATFORM, 0),
        (feature::ANY_LAYOUT, feature::ANY_LAYOUT),
        (ALL | feature::ANY_LAYOUT, ALL),
    ] {
        let (fake, transport) = FakeDevice::new(DeviceType::Block, offered, &[8], &[]);
        let device = Device::new::<FakeHal>(transport, ALL).expect("the device is honest");
        assert_eq!((fake.features(), device.features()), (accepted, accepted));
    }
}

/// A legacy device has no generation of its configuration.
#[test]
fn a_legacy_configuration_is_read_until_it_is_twice_the_same() {
    let (fake, transport) = FakeDevice::new(DeviceType::Block, 0, &[8], &[1, 2]);
    let device = Device::new::<FakeHal>(transport, ALL).expect("the device is honest");
    fake.change_while_read(3);
    assert_eq!(device.configuration(0), Ok([4, 2]));
    fake.change_while_read(usize::MAX);
    assert_eq!(device.configuration::<2>(0), Err(SetUpError::Unstable));
}

#[test]
fn what_cannot_be_set_up_has_a_reason() {
    let open = |queues: &[u32]| {
        let device = FakeDevice::new(DeviceType::Block, feature::VERSION_1, queues, b"abc");
        (
            device.0,
            Device::new::<FakeHal>(device.1, 0).expect("it is honest"),
        )
    };
    let (fake, device) = open(&[8, 0]);
    let first = device.queue::<Request>(0, 8);
    let second = |number| device.queue::<Request>(number, 8).err();
    assert_eq!(second(0), Some(SetUpError::QueueInUse(0)));
    assert_eq!(second(1), Some(SetUpError::NoQueue(1)));
    assert_eq!(second(2), Some(SetUpError::NoQueue(2)));
    assert_eq!(device.configuration(1), Ok(*b"bc"));
    assert_eq!(device.configuration::<3>(1), Err(SetUpError::NoField));
    fake.make_unstable();
    assert_eq!(device.configuration::<1>(0), Err(SetUpError::Unstable));
    drop(first);

    let (fake, transport) = FakeDevice::new(DeviceType::Block, feature::VERSION_1, &[8], &[]);
    fake.refuse_features();
    let refused = Device::new::<FakeHal>(transport, 0).err();
    assert_eq!(refused, Some(SetUpError::FeaturesRefused));
    assert_nothing_shared();
}

#[test]
fn a_full_queue_returns_the_buffer() {
    let (fake, mut queue) = open(feature::VERSION_1, 4, 4);
    for _ in 0..2 {
        assert!(queue.has_room(2));
        queue.add(request(b"two", 2)).expect("there is room");
    }
    assert!(!queue.has_room(1));
    let rejected = queue.add(request(b"more", 0)).expect_err("it is full");
    assert_eq!(rejected.reason, QueueError::Full);
    assert_eq!(rejected.buffer.0.into_memory(), b"more");
    queue.publish();
    let mut device = fake.queue(0);
    let chain = device.take().expect("two are published");
    device.complete(&chain, b"");
    assert!(queue.pop().is_ok_and(|used| used.is_some()));
    queue.add(request(b"more", 1)).expect("there is room again");
}

#[test]
fn with_indirect_tables_each_request_takes_one_descriptor() {
    let (fake, mut queue) = open(ALL, 4, 4);
    for _ in 0..4 {
        queue.add(request(b"request", 2)).expect("there is room");
    }
    let rejected = queue.add(request(b"request", 2)).expect_err("it is full");
    assert_eq!(rejected.reason, QueueError::Full);
    queue.publish();
    let mut device = fake.queue(0);
    assert_eq!(core::iter::from_fn(|| device.take()).count(), 4);
}

#[test]
fn chains_that_the_specification_does_not_know_are_rejected() {
    type Wrong = (Writable<Vec<u8>>, Readable<Vec<u8>>);
    let (_, mut queue) = open::<Wrong>(ALL, 8, 8);
    let wrong = |writable: usize, readable: usize| {
        (
            Writable::new(vec![0; writable], writable),
            Readable::new(vec![0; readable], readable),
        )
    };
    for rejected in [wrong(1, 1), wrong(0, 0)] {
        let rejected = queue.add(rejected).expect_err("it is not valid");
        assert_eq!(rejected.reason, QueueError::InvalidChain);
    }
    queue.add(wrong(1, 0)).expect("empty parts do not count");
    queue.add(wrong(0, 1)).expect("empty parts do not count");

    let (_, mut short) = open(feature::VERSION_1, 1, 1);
    let rejected = short
        .add(request(b"too long", 1))
        .expect_err("no room, ever");
    assert_eq!(rejected.reason, QueueError::InvalidChain);
}

/// Lets a device act on a queue with two chains, one of them published. Returns the error.
fn violation(act: impl Fn(&mut DeviceQueue)) -> QueueError {
    let (fake, mut queue) = open(feature::VERSION_1, 8, 8);
    queue.add(request(b"published", 1)).expect("there is room");
    queue.publish();
    queue
        .add(request(b"not published", 1))
        .expect("there is room");
    let mut device = fake.queue(0);
    act(&mut device);
    let mut popped = 0;
    let error = loop {
        match queue.pop() {
            Ok(Some(_)) => popped += 1,
            Ok(None) => panic!("the violation was not found"),
            Err(error) => break error,
        }
    };
    assert!(popped <= 1);
    // From now on nothing else comes, whatever the device does.
    device.set_used_index(0);
    assert_eq!(queue.pop().map(|_| ()), Err(error));
    assert_eq!(queue.can_pop(), Err(error));
    assert_eq!(queue.enable_interrupts(), Err(error));
    let rejected = queue.add(request(b"late", 1)).expect_err("it is broken");
    assert_eq!(rejected.reason, error);
    assert!(!queue.publish());
    assert!(error.to_string().contains("hostile"));
    drop(queue);
    assert_nothing_shared();
    error
}

#[test]
fn violations_are_found_and_kept() {
    let (claimed, outstanding) = (2, 1);
    let index = QueueError::UsedIndex {
        claimed,
        outstanding,
    };
    assert_eq!(violation(|device| device.set_used_index(2)), index);
    let (claimed, outstanding) = (u16::MAX, 1);
    let back = QueueError::UsedIndex {
        claimed,
        outstanding,
    };
    assert_eq!(violation(|device| device.set_used_index(u16::MAX)), back);
    // Descriptor 1 belongs to the published chain, 2 begins one that is not, 7 is free.
    for id in [1, 2, 7, 8, 1 << 16, u32::MAX] {
        let error = violation(|device| device.put_used(id, 0));
        assert_eq!(error, QueueError::UsedId(id));
    }
    let twice = violation(|device| {
        device.put_used(0, 0);
        device.put_used(0, 0);
    });
    assert!(matches!(twice, QueueError::UsedIndex { .. }));
}

#[test]
fn a_chain_comes_back_once() {
    let (fake, mut queue) = open(feature::VERSION_1, 8, 8);
    for _ in 0..2 {
        queue.add(request(b"request", 1)).expect("there is room");
    }
    queue.publish();
    let mut device = fake.queue(0);
    device.put_used(0, 0);
    device.put_used(0, 0);
    assert!(queue.pop().is_ok_and(|used| used.is_some()));
    assert_eq!(queue.pop().map(|_| ()), Err(QueueError::UsedId(0)));
}

#[test]
fn the_device_writes_no_more_than_it_was_given() {
    let (fake, mut queue) = open(ALL, 8, 8);
    queue.add(request(b"request", 5)).expect("there is room");
    queue.publish();
    fake.queue(0).put_used(0, u32::MAX);
    let used = queue.pop().expect("nothing is wrong").expect("it is back");
    assert_eq!(used.written, 5);
}

#[test]
fn a_device_that_does_not_reset_keeps_its_memory() {
    let (fake, mut queue) = open(ALL, 8, 8);
    queue.add(request(b"request", 5)).expect("there is room");
    queue.publish();
    let chain = fake.queue(0).take().expect("it is published");
    fake.never_reset();
    drop(queue);
    assert!(chain.write(b"still"), "the device may write to it");
}

#[test]
fn a_queue_that_goes_takes_the_device_with_it() {
    let (fake, transport) = FakeDevice::new(DeviceType::Network, ALL, &[8, 8], &[]);
    let device = Device::new::<FakeHal>(transport, ALL).expect("the device is honest");
    let mut one: Queue = device.queue(0, 8).expect("there are two");
    let mut other: Queue = device.queue(1, 8).expect("there are two");
    device.start();
    for queue in [&mut one, &mut other] {
        queue.add(request(b"request", 5)).expect("there is room");
        assert!(queue.publish());
    }
    drop(device);
    assert!(fake.is_running());
    drop(other);
    assert!(!fake.is_running());
    one.add(request(b"request", 5)).expect("there is room");
    one.publish();
    assert_eq!(fake.take_notifications(0), 1, "it is not notified any more");
    drop(one);
    assert_nothing_shared();
}
