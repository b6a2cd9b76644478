//! The driver against a device that the tests play.

use super::*;
use alloc::alloc::{alloc_zeroed, dealloc};
use alloc::vec::Vec;
use core::alloc::Layout;
use core::ptr::NonNull;
use core::time::Duration;
use fata_task::{simulate, yield_now};
use std::boxed::Box;
use virtio_drivers::transport::{DeviceStatus, DeviceType, InterruptStatus};
use virtio_drivers::{BufferDirection, PAGE_SIZE, PhysAddr, Result};
use zerocopy::{FromBytes, Immutable, IntoBytes};

const SIZE_FEATURE: u64 = 1;
const VERSION_1: u64 = 1 << 32;
const QUEUES: usize = 2;
const RECEIVE: usize = 0;
const TRANSMIT: usize = 1;

/// Devices see the process's memory.
struct HostMemory;

fn layout(pages: usize) -> Layout {
    Layout::from_size_align(pages * PAGE_SIZE, PAGE_SIZE).unwrap()
}

// SAFETY: pages are zeroed, aligned and handed out once; addresses are pointers.
unsafe impl Hal for HostMemory {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        // SAFETY: queues have at least one page.
        let start = NonNull::new(unsafe { alloc_zeroed(layout(pages)) }).unwrap();
        (start.as_ptr() as PhysAddr, start)
    }

    unsafe fn dma_dealloc(_: PhysAddr, start: NonNull<u8>, pages: usize) -> i32 {
        // SAFETY: the caller promises that the pages came from `dma_alloc`.
        unsafe { dealloc(start.as_ptr(), layout(pages)) };
        0
    }

    unsafe fn mmio_phys_to_virt(_: PhysAddr, _: usize) -> NonNull<u8> {
        unreachable!("the device has no registers in memory")
    }

    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        buffer.as_ptr().cast::<u8>() as PhysAddr
    }

    unsafe fn unshare(_: PhysAddr, _: NonNull<[u8]>, _: BufferDirection) {}
}

/// The device's side of a queue: addresses of its parts, and how far the device has come.
#[derive(Clone, Copy, Default)]
struct Ring {
    size: u16,
    descriptors: u64,
    available: u64,
    used: u64,
    done: u16,
}

struct Fake {
    features: u64,
    config: [u16; 2],
    generation: u32,
    rings: [Ring; QUEUES],
    notifications: [usize; QUEUES],
    status: DeviceStatus,
}

/// A device in the test's hands. The transport that the driver has is another clone.
#[derive(Clone)]
struct Hands {
    fake: Rc<RefCell<Fake>>,
    event: &'static Event,
}

impl Hands {
    fn new(features: u64, config: [u16; 2]) -> Self {
        Self {
            fake: Rc::new(RefCell::new(Fake {
                features: features | VERSION_1,
                config,
                generation: 0,
                rings: Default::default(),
                notifications: [0; QUEUES],
                status: DeviceStatus::empty(),
            })),
            event: Box::leak(Box::default()),
        }
    }

    fn start(&self, tasks: &Handle) -> VirtioConsole {
        VirtioConsole::start::<HostMemory, _>(tasks, FakeTransport(self.clone()), self.event)
            .unwrap()
    }

    /// The next buffer that the driver has offered: its descriptor, address and length.
    fn offered(&self, queue: usize) -> Option<(u16, *mut u8, usize)> {
        let ring = self.fake.borrow().rings[queue];
        // SAFETY: the driver has set up the rings where it said (section 2.7), and lives.
        unsafe {
            let index = ((ring.available + 2) as *const u16).read_volatile();
            if index == ring.done {
                return None;
            }
            let slot = u64::from(ring.done % ring.size);
            let head = ((ring.available + 4 + 2 * slot) as *const u16).read_volatile();
            let descriptor = ring.descriptors + 16 * u64::from(head);
            let address = (descriptor as *const u64).read_volatile();
            let length = ((descriptor + 8) as *const u32).read_volatile();
            Some((head, address as *mut u8, length as usize))
        }
    }

    /// Gives a buffer back with a length, and raises the interrupt.
    fn use_up(&self, queue: usize, head: u16, length: usize) {
        let ring = &mut self.fake.borrow_mut().rings[queue];
        let slot = u64::from(ring.done % ring.size);
        ring.done = ring.done.wrapping_add(1);
        let element = (ring.used + 4 + 8 * slot) as *mut u32;
        // SAFETY: as above.
        unsafe {
            element.write_volatile(head.into());
            element.add(1).write_volatile(length as u32);
            ((ring.used + 2) as *mut u16).write_volatile(ring.done);
        }
        self.event.signal();
    }

    /// What people read: takes one buffer of output, if there is one.
    fn take_output(&self) -> Option<Vec<u8>> {
        let (head, address, length) = self.offered(TRANSMIT)?;
        // SAFETY: the driver has lent the buffer.
        let bytes = unsafe { core::slice::from_raw_parts(address, length) }.to_vec();
        self.use_up(TRANSMIT, head, 0);
        Some(bytes)
    }

    /// What people type: false if the driver has offered no buffer for it.
    fn type_in(&self, bytes: &[u8]) -> bool {
        let Some((head, address, length)) = self.offered(RECEIVE) else {
            return false;
        };
        assert!(bytes.len() <= length);
        // SAFETY: the driver has lent the buffer, which is long enough.
        unsafe { address.copy_from(bytes.as_ptr(), bytes.len()) };
        self.use_up(RECEIVE, head, bytes.len());
        true
    }

    fn resize(&self, config: [u16; 2]) {
        let mut fake = self.fake.borrow_mut();
        fake.config = config;
        fake.generation += 1;
        self.event.signal();
    }
}

struct FakeTransport(Hands);

impl FakeTransport {
    fn fake(&self) -> core::cell::RefMut<'_, Fake> {
        self.0.fake.borrow_mut()
    }
}

impl Transport for FakeTransport {
    fn device_type(&self) -> DeviceType {
        DeviceType::Console
    }

    fn read_device_features(&mut self) -> u64 {
        self.fake().features
    }

    fn write_driver_features(&mut self, features: u64) {
        assert_eq!(features & !self.fake().features, 0);
    }

    fn max_queue_size(&mut self, _: u16) -> u32 {
        128
    }

    fn notify(&mut self, queue: u16) {
        self.fake().notifications[usize::from(queue)] += 1;
    }

    fn get_status(&self) -> DeviceStatus {
        self.fake().status
    }

    fn set_status(&mut self, status: DeviceStatus) {
        self.fake().status = status;
    }

    fn set_guest_page_size(&mut self, _: u32) {}

    fn requires_legacy_layout(&self) -> bool {
        false
    }

    fn queue_set(&mut self, queue: u16, size: u32, descriptors: u64, available: u64, used: u64) {
        self.fake().rings[usize::from(queue)] = Ring {
            size: size as u16,
            descriptors,
            available,
            used,
            done: 0,
        };
    }

    fn queue_unset(&mut self, _: u16) {}

    fn queue_used(&mut self, queue: u16) -> bool {
        self.fake().rings[usize::from(queue)].size > 0
    }

    fn ack_interrupt(&mut self) -> InterruptStatus {
        InterruptStatus::QUEUE_INTERRUPT
    }

    fn read_config_generation(&self) -> u32 {
        self.fake().generation
    }

    fn read_config_space<T: FromBytes + IntoBytes>(&self, offset: usize) -> Result<T> {
        let fake = self.fake();
        let (value, _) = T::read_from_prefix(&fake.config.as_bytes()[offset..]).unwrap();
        Ok(value)
    }

    fn write_config_space<T: IntoBytes + Immutable>(&mut self, _: usize, _: T) -> Result<()> {
        unreachable!("the driver writes nothing")
    }
}

impl Drop for FakeTransport {
    fn drop(&mut self) {
        self.set_status(DeviceStatus::empty());
    }
}

/// Lets the driver's task run until it waits.
async fn settle() {
    for _ in 0..4 {
        yield_now().await;
    }
}

#[test]
fn bytes_go_out_and_come_in() {
    simulate(|tasks| async move {
        let hands = Hands::new(0, [0, 0]);
        let console = hands.start(&tasks);
        settle().await;
        console.write(b"hello");
        settle().await;
        assert_eq!(hands.take_output().as_deref(), Some(&b"hello"[..]));
        assert!(hands.type_in(b"typed"));
        let mut buffer = [0; 3];
        assert_eq!(console.read(&mut buffer).await, 3);
        assert_eq!(&buffer, b"typ");
        assert_eq!(console.read(&mut buffer).await, 2);
        assert_eq!(&buffer[..2], b"ed");
        // Interrupts drive it: an idle console notifies nobody.
        let before = hands.fake.borrow().notifications;
        tasks.sleep(Duration::from_secs(1)).await;
        assert_eq!(hands.fake.borrow().notifications, before);
    });
}

#[test]
fn output_waits_for_a_device_that_does_not_read() {
    simulate(|tasks| async move {
        let hands = Hands::new(0, [0, 0]);
        let console = hands.start(&tasks);
        let sent: Vec<u8> = (0..3 * OUTPUT).map(|index| index as u8).collect();
        let (writer, bytes) = (console.clone(), sent.clone());
        let writing = tasks.spawn(async move {
            writer.write_all(&bytes).await;
            writer.flush().await;
        });
        tasks.sleep(Duration::from_secs(60)).await;
        assert!(!writing.is_finished());
        // What does not wait is lost, and nothing grows.
        console.write(&[b'x'; 2 * OUTPUT]);
        assert_eq!(console.shared.state.borrow().output.len(), OUTPUT);
        let mut taken = Vec::new();
        while !writing.is_finished() {
            settle().await;
            taken.extend(hands.take_output().into_iter().flatten());
            settle().await;
        }
        taken.retain(|byte| *byte != b'x');
        let expected: Vec<u8> = sent.into_iter().filter(|byte| *byte != b'x').collect();
        assert_eq!(taken, expected);
    });
}

#[test]
fn input_waits_for_a_program_that_does_not_read() {
    simulate(|tasks| async move {
        let hands = Hands::new(0, [0, 0]);
        let console = hands.start(&tasks);
        settle().await;
        let mut typed = 0;
        while hands.type_in(&[b'a'; lane::SIZE]) {
            typed += lane::SIZE;
            settle().await;
        }
        assert_eq!(typed, INPUT);
        let mut buffer = [0; INPUT];
        assert_eq!(console.read(&mut buffer).await, INPUT);
        settle().await;
        assert!(hands.type_in(b"more"));
        assert_eq!(console.read(&mut buffer).await, 4);
    });
}

#[test]
fn a_new_size_is_told() {
    simulate(|tasks| async move {
        let hands = Hands::new(SIZE_FEATURE, [80, 25]);
        let console = hands.start(&tasks);
        let size = |columns, rows| Some(Size { columns, rows });
        assert_eq!(console.size(), size(80, 25));
        let waiter = console.clone();
        let waiting = tasks.spawn(async move { waiter.resized().await });
        tasks.sleep(Duration::from_secs(1)).await;
        assert!(!waiting.is_finished());
        hands.resize([132, 50]);
        assert_eq!(waiting.await, Ok(size(132, 50)));
        assert_eq!(console.size(), size(132, 50));
        hands.resize([0, 0]);
        assert_eq!(console.resized().await, None);
    });
}

#[test]
fn a_device_without_a_size_has_none() {
    simulate(|tasks| async move {
        let console = Hands::new(0, [80, 25]).start(&tasks);
        assert_eq!(console.size(), None);
    });
}

#[test]
fn a_device_that_breaks_the_rules_is_not_used_any_more() {
    for (queue, head, length) in [
        (RECEIVE, Some(1), 5),
        (RECEIVE, None, lane::SIZE + 1),
        (TRANSMIT, Some(1), 0),
    ] {
        simulate(|tasks| async move {
            let hands = Hands::new(0, [0, 0]);
            let console = hands.start(&tasks);
            console.write(b"output");
            settle().await;
            let (offered, ..) = hands.offered(queue).unwrap();
            hands.use_up(queue, head.unwrap_or(offered), length);
            settle().await;
            assert_eq!(console.read(&mut [0; 8]).await, 0);
            console.write_all(&[b'x'; 2 * OUTPUT]).await;
            console.flush().await;
            // Its task has ended, which has reset the device.
            assert_eq!(hands.fake.borrow().status, DeviceStatus::empty());
        });
    }
}

#[test]
fn the_device_is_reset_before_its_memory_is_freed() {
    let hands = simulate(|tasks| async move {
        let hands = Hands::new(0, [0, 0]);
        let console = hands.start(&tasks);
        console.write(b"output");
        settle().await;
        hands
    });
    assert_eq!(hands.fake.borrow().status, DeviceStatus::empty());
}
