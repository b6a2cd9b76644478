//! The driver against a device that the tests play.

use super::request::UNIT;
use super::*;
use alloc::boxed::Box;
use fata_task::{simulate, yield_now};
use fata_virtio::fake::schedule::Watch;
use fata_virtio::fake::{DeviceQueue, FakeDevice, FakeHal, Hostile, Script, assert_nothing_shared};
use fata_virtio::feature;
use proptest::prelude::*;
use virtio_drivers::transport::DeviceType;

const SIZE_MAX: u64 = 1 << 1;
const READ_ONLY: u64 = 1 << 5;
const BLOCK_SIZE: u64 = 1 << 6;
const FLUSH: u64 = 1 << 9;
const DISCARD: u64 = 1 << 13;
const WRITE_ZEROES: u64 = 1 << 14;

/// Sectors of 512 bytes.
const CAPACITY: u64 = 64;

fn configuration() -> [u8; 60] {
    let mut configuration = [0; 60];
    configuration[..8].copy_from_slice(&CAPACITY.to_le_bytes());
    let mut word = |offset: usize, value: u32| {
        configuration[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
    };
    word(8, 1536);
    word(20, 4096);
    word(36, 16);
    word(48, 8);
    configuration
}

/// A device in the test's hands, with a disk of its own.
struct Hands {
    device: FakeDevice,
    event: &'static Event,
    disk: VirtioBlock,
    queue: DeviceQueue,
    bytes: Vec<u8>,
    /// Kind, place and bytes of each request that was done.
    log: Vec<(u32, u64, usize)>,
}

impl Hands {
    fn new(tasks: &Handle, features: u64) -> Self {
        let features = features | feature::VERSION_1;
        let (device, transport) =
            FakeDevice::new(DeviceType::Block, features, &[8], &configuration());
        let event: &'static Event = Box::leak(Box::default());
        let disk =
            VirtioBlock::start::<FakeHal>(tasks, transport, event).expect("the device is honest");
        Self {
            queue: device.queue(QUEUE),
            device,
            event,
            disk,
            bytes: (0..CAPACITY)
                .flat_map(|sector| [sector as u8; UNIT])
                .collect(),
            log: Vec::new(),
        }
    }

    /// Does one request, if there is one, as the specification says.
    fn serve(&mut self, status: u8) -> bool {
        let Some(chain) = self.queue.take() else {
            return false;
        };
        let (header, data) = chain.readable.split_at(16);
        let kind = u32::from_le_bytes(header[..4].try_into().expect("it has four bytes"));
        let place = u64::from_le_bytes(header[8..].try_into().expect("it has eight bytes"));
        let at = place as usize * UNIT;
        let room = chain.room() - 1;
        let mut answer = alloc::vec![0; room];
        self.log.push((kind, place, room + data.len()));
        match kind {
            _ if status != 0 => {}
            0 => answer.copy_from_slice(&self.bytes[at..at + room]),
            1 => self.bytes[at..at + data.len()].copy_from_slice(data),
            8 => answer[..6].copy_from_slice(b"serial"),
            13 => {
                let place = u64::from_le_bytes(data[..8].try_into().expect("it has eight bytes"));
                let count = u32::from_le_bytes(data[8..12].try_into().expect("it has four bytes"));
                let at = place as usize * UNIT;
                self.bytes[at..at + count as usize * UNIT].fill(0);
            }
            _ => {}
        }
        answer.push(status);
        if self.queue.complete(&chain, &answer) {
            self.device.interrupt();
            self.event.signal();
        }
        true
    }

    /// Does all requests as they come, until nothing happens any more.
    async fn settle(&mut self) {
        settle().await;
        while self.serve(0) {
            settle().await;
        }
    }
}

/// Lets the driver's task and those of the test run until they wait.
async fn settle() {
    for _ in 0..4 {
        yield_now().await;
    }
}

#[test]
fn data_goes_there_and_back() {
    for features in [0, feature::EVENT_INDEX, feature::INDIRECT_DESCRIPTORS] {
        simulate(|tasks| async move {
            let mut hands = Hands::new(&tasks, features);
            let disk = hands.disk.clone();
            let user = tasks.spawn(async move {
                let written = disk.write(3, alloc::vec![9; 1024]).await;
                assert_eq!(written, Ok(alloc::vec![9; 1024]));
                let read = disk.read(2, alloc::vec![0; 2048]).await;
                let expected = [[2; 512], [9; 512], [9; 512], [5; 512]].concat();
                assert_eq!(read, Ok(expected));
                assert_eq!(disk.serial().await.as_deref(), Ok(&b"serial"[..]));
            });
            hands.settle().await;
            assert_eq!(user.await, Ok(()));
            assert_eq!(hands.log, [(1, 3, 1024), (0, 2, 2048), (8, 0, 20)]);
            assert!(hands.disk.shared.engine.borrow().is_idle());
        });
        assert_nothing_shared();
    }
}

#[test]
fn many_requests_go_with_one_notification_and_more_wait_for_room() {
    for (features, at_once) in [(0, 2), (feature::INDIRECT_DESCRIPTORS, 8)] {
        simulate(|tasks| async move {
            let mut hands = Hands::new(&tasks, features);
            let users: Vec<_> = (0..20)
                .map(|sector| {
                    let disk = hands.disk.clone();
                    tasks.spawn(async move { disk.read(sector, alloc::vec![0; 512]).await })
                })
                .collect();
            settle().await;
            assert_eq!(hands.device.take_notifications(QUEUE), 1);
            assert_eq!(hands.queue.waiting(), at_once);
            hands.settle().await;
            for (sector, user) in users.into_iter().enumerate() {
                assert_eq!(user.await, Ok(Ok(alloc::vec![sector as u8; 512])));
            }
            let places: Vec<u64> = hands.log.iter().map(|(_, place, _)| *place).collect();
            assert!(
                places.is_sorted(),
                "requests overtook each other: {places:?}"
            );
        });
        assert_nothing_shared();
    }
}

#[test]
fn requests_may_be_dropped_while_the_device_has_them() {
    simulate(|tasks| async move {
        let mut hands = Hands::new(&tasks, 0);
        let users: Vec<_> = (0..5)
            .map(|sector| {
                let disk = hands.disk.clone();
                tasks.spawn(async move { disk.read(sector, alloc::vec![0; 512]).await })
            })
            .collect();
        settle().await;
        // Two are with the device, the others wait; the last stays.
        users[..4].iter().for_each(|user| user.cancel());
        hands.settle().await;
        let last = users.into_iter().next_back().expect("there are five").await;
        assert_eq!(last, Ok(Ok(alloc::vec![4; 512])));
        assert!(hands.disk.shared.engine.borrow().is_idle());
        let places: Vec<u64> = hands.log.iter().map(|(_, place, _)| *place).collect();
        assert_eq!(places, [0, 1, 4]);
    });
    assert_nothing_shared();
}

#[test]
fn limits_and_sectors_are_the_devices() {
    simulate(|tasks| async move {
        let mut hands = Hands::new(&tasks, SIZE_MAX);
        let disk = hands.disk.clone();
        let user = tasks.spawn(async move { disk.read(1, alloc::vec![0; 3584]).await });
        hands.settle().await;
        let expected: Vec<u8> = (1..8).flat_map(|sector| [sector; 512]).collect();
        assert_eq!(user.await, Ok(Ok(expected)));
        assert_eq!(hands.log, [(0, 1, 1536), (0, 4, 1536), (0, 7, 512)]);

        let mut hands = Hands::new(&tasks, BLOCK_SIZE | READ_ONLY);
        let geometry = Geometry {
            sector_size: 4096,
            sectors: 8,
            read_only: true,
        };
        assert_eq!(hands.disk.geometry(), geometry);
        let disk = hands.disk.clone();
        assert_eq!(
            disk.write(0, alloc::vec![0; 4096]).await,
            Err(Error::ReadOnly)
        );
        assert_eq!(
            disk.read(8, alloc::vec![0; 4096]).await,
            Err(Error::OutOfRange)
        );
        let user = tasks.spawn(async move { disk.read(7, alloc::vec![0; 4096]).await });
        hands.settle().await;
        assert!(user.await.is_ok_and(|read| read.is_ok()));
        assert_eq!(hands.log, [(0, 56, 4096)]);
    });
}

#[test]
fn zeroes_and_discards_use_what_the_device_offers() {
    for (features, expected) in [
        (0, &[(1, 4, 6144)][..]),
        (
            WRITE_ZEROES | DISCARD,
            &[(13, 0, 16), (13, 0, 16), (11, 0, 16)][..],
        ),
    ] {
        simulate(|tasks| async move {
            let mut hands = Hands::new(&tasks, features);
            let disk = hands.disk.clone();
            let user = tasks.spawn(async move {
                assert_eq!(disk.write_zeroes(4, 12).await, Ok(()));
                assert_eq!(disk.discard(20, 4).await, Ok(()));
            });
            hands.settle().await;
            assert_eq!(user.await, Ok(()));
            assert_eq!(hands.log, expected);
            let zeroes = hands.bytes.iter().filter(|byte| **byte == 0).count();
            assert_eq!(zeroes, 13 * UNIT, "sector 0 and the twelve");
        });
    }
}

#[test]
fn a_device_without_a_cache_is_not_flushed() {
    for (features, expected) in [(0, &[][..]), (FLUSH, &[(4, 0, 0)][..])] {
        simulate(|tasks| async move {
            let mut hands = Hands::new(&tasks, features);
            let disk = hands.disk.clone();
            let user = tasks.spawn(async move { disk.flush().await });
            hands.settle().await;
            assert_eq!(user.await, Ok(Ok(())));
            assert_eq!(hands.log, expected);
        });
    }
}

#[test]
fn errors_are_of_one_request() {
    simulate(|tasks| async move {
        let mut hands = Hands::new(&tasks, FLUSH);
        for (status, expected) in [(1, Err(Error::Io)), (2, Err(Error::Io)), (0, Ok(()))] {
            let disk = hands.disk.clone();
            let user = tasks.spawn(async move { disk.flush().await });
            settle().await;
            assert!(hands.serve(status));
            assert_eq!(user.await, Ok(expected));
        }
    });
}

#[test]
fn a_device_that_breaks_the_rules_is_gone() {
    simulate(|tasks| async move {
        let mut hands = Hands::new(&tasks, 0);
        let disk = hands.disk.clone();
        let user = tasks.spawn(async move { disk.read(0, alloc::vec![0; 512]).await });
        settle().await;
        hands.queue.put_used(7, 512);
        hands.device.interrupt();
        hands.event.signal();
        assert_eq!(user.await, Ok(Err(Error::Gone)));
        assert_eq!(hands.disk.flush().await, Ok(()), "there is no cache");
        assert_eq!(
            hands.disk.read(0, alloc::vec![0; 512]).await,
            Err(Error::Gone)
        );
        assert!(!hands.device.is_running());
    });
    assert_nothing_shared();
}

/// Requests of all kinds against a device that does what a script says.
fn torture(bytes: &[u8]) {
    simulate(|tasks| async move {
        let (features, rest) = bytes.split_at(bytes.len().min(4));
        let mut bits = [0; 8];
        bits[..features.len()].copy_from_slice(features);
        let features = u64::from_le_bytes(bits) | feature::VERSION_1;
        let (device, transport) =
            FakeDevice::new(DeviceType::Block, features, &[8], &configuration());
        let event: &'static Event = Box::leak(Box::default());
        let disk =
            VirtioBlock::start::<FakeHal>(&tasks, transport, event).expect("the set-up is honest");
        let hostile = Rc::new(RefCell::new(Hostile::new(&device, 1, Script::new(rest))));
        // It also acts whenever the driver looks.
        let watching = Rc::clone(&hostile);
        let _watch = Watch::new(move || watching.borrow_mut().act());
        let users: Vec<_> = (0..12)
            .map(|number| {
                let disk = disk.clone();
                tasks.spawn(async move {
                    let zeroes = alloc::vec![0; 4096];
                    let _ = match number % 4 {
                        0 => disk.read(8, zeroes).await.map(drop),
                        1 => disk.write(8, zeroes).await.map(drop),
                        2 => disk.write_zeroes(0, 8).await,
                        _ => disk.flush().await,
                    };
                })
            })
            .collect();
        for _ in rest {
            hostile.borrow_mut().act();
            event.signal();
            yield_now().await;
        }
        users.iter().step_by(2).for_each(|user| user.cancel());
    });
    assert_nothing_shared();
}

proptest! {
    #[test]
    fn the_driver_survives(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        torture(&bytes);
    }
}
