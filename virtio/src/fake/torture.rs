//! A driver and a hostile device, both of which do what bytes say.

use crate::fake::schedule::Watch;
use crate::fake::{FakeDevice, FakeHal, Hostile, Script, assert_nothing_shared};
use crate::{Device, QueueError, Readable, SplitQueue, Writable, feature};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::prelude::v1::*;
use std::rc::Rc;
use virtio_drivers::transport::DeviceType;

type Request = (Readable<Vec<u8>>, Writable<Vec<u8>>);

const ALL: u64 = feature::VERSION_1 | feature::EVENT_INDEX | feature::INDIRECT_DESCRIPTORS;

/// The driver, and what it has given away.
struct Driver {
    queue: SplitQueue<Request>,
    serial: u32,
    /// Bytes to read and to write of each request in the queue, by serial number.
    held: BTreeMap<u32, (usize, usize)>,
}

impl Driver {
    fn step(&mut self, script: &mut Script) -> Result<(), QueueError> {
        match script.byte() % 8 {
            0..=2 => self.add(script),
            3 => {
                self.queue.publish();
                Ok(())
            }
            4 | 5 => self.pop(),
            6 => self.queue.enable_interrupts().map(|_| ()),
            _ => {
                self.queue.disable_interrupts();
                self.queue.can_pop().map(|_| ())
            }
        }
    }

    fn add(&mut self, script: &mut Script) -> Result<(), QueueError> {
        let (readable, writable) = (script.byte() % 32, script.byte() % 32);
        let mut bytes = self.serial.to_le_bytes().to_vec();
        bytes.extend(std::iter::repeat_n(readable, readable.into()));
        let lengths = (bytes.len(), usize::from(writable));
        let request = (
            Readable::new(bytes, usize::MAX),
            Writable::new(vec![0; writable.into()], usize::MAX),
        );
        match self.queue.add(request) {
            Ok(()) => {
                self.held.insert(self.serial, lengths);
                self.serial += 1;
            }
            Err(rejected) if rejected.reason == QueueError::Full => {}
            // One descriptor is not enough for two parts.
            Err(rejected) if rejected.reason == QueueError::InvalidChain => {
                assert_eq!(self.queue.size(), 1);
            }
            Err(rejected) => return Err(rejected.reason),
        }
        Ok(())
    }

    /// Checks that a buffer comes back as it was given, as far as the device could not write it.
    fn pop(&mut self) -> Result<(), QueueError> {
        let Some(used) = self.queue.pop()? else {
            return Ok(());
        };
        let (readable, writable) = used.buffer;
        let (readable, writable) = (readable.into_memory(), writable.into_memory());
        let (serial, fill) = readable.split_at(4);
        let serial = u32::from_le_bytes(serial.try_into().expect("there are four"));
        let lengths = self.held.remove(&serial).expect("it was given, once");
        assert_eq!(lengths, (readable.len(), writable.len()));
        assert!(fill.iter().all(|byte| usize::from(*byte) == fill.len()));
        assert!(used.written <= writable.len());
        Ok(())
    }

    /// After a violation there is nothing but its error.
    fn assert_broken(&mut self, error: QueueError) {
        assert_eq!(self.queue.pop().map(|_| ()), Err(error));
        assert_eq!(self.queue.enable_interrupts(), Err(error));
        assert!(!self.queue.publish());
        let rejected = self
            .queue
            .add((Readable::new(vec![0], 1), Writable::new(vec![], 0)));
        assert_eq!(rejected.map_err(|rejected| rejected.reason), Err(error));
    }
}

/// Plays a queue: the first half of the bytes is the driver's, the second the device's.
pub fn queue(bytes: &[u8]) {
    let (ours, theirs) = bytes.split_at(bytes.len() / 2);
    let mut script = Script::new(ours);
    let flags = u64::from(script.byte());
    let features = (flags & 1) << 32 | (flags & 6) << 27;
    let most = 1 << (flags >> 3 & 7);
    let (fake, transport) = FakeDevice::new(DeviceType::Block, features, &[most], &[]);
    let device = Device::new::<FakeHal>(transport, ALL).expect("the set-up is honest");
    let mut driver = Driver {
        queue: device.queue(0, 64).expect("the set-up is honest"),
        serial: 0,
        held: BTreeMap::new(),
    };
    device.start();
    let hostile = Hostile::new(&fake, 1, Script::new(theirs));
    let hostile = Rc::new(RefCell::new(hostile));
    let watching = Rc::clone(&hostile);
    let watch = Watch::new(move || watching.borrow_mut().act());
    while !script.is_over() {
        let result = driver.step(&mut script);
        hostile.borrow_mut().act();
        if let Err(error) = result {
            driver.assert_broken(error);
            break;
        }
        assert_eq!(driver.queue.held(), driver.held.len());
    }
    drop(watch);
    drop((driver, device));
    assert_nothing_shared();
}
