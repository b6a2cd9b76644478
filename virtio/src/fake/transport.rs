use super::{DeviceQueue, schedule};
use crate::{FIXED_SIZE, feature};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::mem;
use virtio_drivers::transport::{DeviceStatus, DeviceType, InterruptStatus, Transport};
use virtio_drivers::{Error, PhysAddr, Result};
use zerocopy::{FromBytes, Immutable, IntoBytes};

struct State {
    offered: u64,
    accepted: u64,
    status: DeviceStatus,
    configuration: Vec<u8>,
    generation: u32,
    queues: Vec<Queue>,
    interrupt: bool,
    legacy: bool,
    has_fixed_sizes: bool,
    refuses_features: bool,
    never_resets: bool,
    unstable: bool,
    /// How often the first byte of the configuration still changes when it was read.
    changes: usize,
}

#[derive(Clone, Copy, Default)]
struct Queue {
    most: u32,
    size: u16,
    addresses: [PhysAddr; 3],
    notifications: usize,
}

/// The test's side of a device.
#[derive(Clone)]
pub struct FakeDevice(Rc<RefCell<State>>);

/// The driver's side of a device.
pub struct FakeTransport {
    kind: DeviceType,
    state: Rc<RefCell<State>>,
}

impl FakeDevice {
    /// A device with these features, most descriptors by queue, and configuration. Without
    /// [`feature::VERSION_1`] it is a legacy device.
    pub fn new(
        kind: DeviceType,
        features: u64,
        queues: &[u32],
        configuration: &[u8],
    ) -> (Self, FakeTransport) {
        let queue = |most: &u32| Queue {
            most: *most,
            ..Queue::default()
        };
        let state = Rc::new(RefCell::new(State {
            offered: features,
            accepted: 0,
            status: DeviceStatus::empty(),
            configuration: configuration.into(),
            generation: 0,
            queues: queues.iter().map(queue).collect(),
            interrupt: false,
            legacy: features & feature::VERSION_1 == 0,
            has_fixed_sizes: false,
            refuses_features: false,
            never_resets: false,
            unstable: false,
            changes: 0,
        }));
        let transport = FakeTransport {
            kind,
            state: Rc::clone(&state),
        };
        (Self(state), transport)
    }

    /// The queues have the sizes that they were made with, no others.
    pub fn fix_sizes(&self) {
        self.0.borrow_mut().has_fixed_sizes = true;
    }

    /// From now on the device refuses what it offers.
    pub fn refuse_features(&self) {
        self.0.borrow_mut().refuses_features = true;
    }

    /// From now on the device's status is never 0.
    pub fn never_reset(&self) {
        self.0.borrow_mut().never_resets = true;
    }

    /// From now on each look at the configuration finds another generation.
    pub fn make_unstable(&self) {
        self.0.borrow_mut().unstable = true;
    }

    /// The first byte of the configuration grows so many times, each time that it is read.
    pub fn change_while_read(&self, times: usize) {
        self.0.borrow_mut().changes = times;
    }

    /// Changes a byte of the configuration, if there is one at `offset`.
    pub fn set_configuration(&self, offset: usize, value: u8) {
        let mut state = self.0.borrow_mut();
        state.generation += 1;
        if let Some(byte) = state.configuration.get_mut(offset) {
            *byte = value;
        }
    }

    /// The features that the driver has accepted.
    pub fn features(&self) -> u64 {
        self.0.borrow().accepted
    }

    /// Returns whether the driver is done setting the device up, and has not reset it.
    pub fn is_running(&self) -> bool {
        self.0.borrow().status.contains(DeviceStatus::DRIVER_OK)
    }

    /// How often the driver has notified the queue since this was last asked.
    pub fn take_notifications(&self, number: u16) -> usize {
        let queue = &mut self.0.borrow_mut().queues[usize::from(number)];
        mem::take(&mut queue.notifications)
    }

    /// Returns whether the driver has notified the queue since that was last asked for.
    pub fn has_notifications(&self, number: u16) -> bool {
        self.0.borrow().queues[usize::from(number)].notifications > 0
    }

    /// Raises the device's interrupt.
    pub fn interrupt(&self) {
        self.0.borrow_mut().interrupt = true;
    }

    /// Returns whether the interrupt was raised, and was not acknowledged. Lowers it.
    pub fn take_interrupt(&self) -> bool {
        mem::take(&mut self.0.borrow_mut().interrupt)
    }

    /// The device's side of a queue that the driver has set up, from its beginning.
    ///
    /// # Panics
    /// If the driver has not.
    pub fn queue(&self, number: u16) -> DeviceQueue {
        let state = self.0.borrow();
        let queue = state.queues[usize::from(number)];
        assert_ne!(queue.size, 0, "queue {number} is not set up");
        let events = state.accepted & feature::EVENT_INDEX != 0;
        DeviceQueue::new(queue.size, queue.addresses, events)
    }
}

impl Transport for FakeTransport {
    fn device_type(&self) -> DeviceType {
        self.kind
    }

    fn read_device_features(&mut self) -> u64 {
        self.state.borrow().offered
    }

    fn write_driver_features(&mut self, features: u64) {
        let mut state = self.state.borrow_mut();
        assert_eq!(features & !state.offered, 0, "not all are offered");
        state.accepted = features;
    }

    fn max_queue_size(&mut self, number: u16) -> u32 {
        let state = self.state.borrow();
        let queue = state.queues.get(usize::from(number));
        let fixed = if state.has_fixed_sizes { FIXED_SIZE } else { 0 };
        queue.map_or(0, |queue| queue.most | fixed)
    }

    fn notify(&mut self, number: u16) {
        schedule::flush();
        let mut state = self.state.borrow_mut();
        assert!(state.status.contains(DeviceStatus::DRIVER_OK));
        state.queues[usize::from(number)].notifications += 1;
    }

    fn get_status(&self) -> DeviceStatus {
        self.state.borrow().status
    }

    fn set_status(&mut self, status: DeviceStatus) {
        schedule::flush();
        let state = &mut *self.state.borrow_mut();
        assert!(!(state.legacy && status.contains(DeviceStatus::FEATURES_OK)));
        let previous = mem::replace(&mut state.status, status);
        if status.is_empty() {
            for queue in &mut state.queues {
                queue.size = 0;
            }
            if state.never_resets {
                state.status = previous | DeviceStatus::FAILED;
            }
        }
        if state.refuses_features {
            state.status -= DeviceStatus::FEATURES_OK;
        }
    }

    fn set_guest_page_size(&mut self, _: u32) {}

    fn requires_legacy_layout(&self) -> bool {
        self.state.borrow().legacy
    }

    fn queue_set(
        &mut self,
        number: u16,
        size: u32,
        descriptors: PhysAddr,
        driver_area: PhysAddr,
        device_area: PhysAddr,
    ) {
        let mut state = self.state.borrow_mut();
        let (legacy, fixed) = (state.legacy, state.has_fixed_sizes);
        let queue = &mut state.queues[usize::from(number)];
        assert!(size.is_power_of_two() && size <= queue.most);
        assert!(!fixed || size == queue.most);
        let aligned = [(descriptors, 16), (driver_area, 2), (device_area, 4)];
        assert!(aligned.iter().all(|(area, to)| area.is_multiple_of(*to)));
        if legacy {
            let available = descriptors + u64::from(size) * 16;
            let used = (available + 2 * (3 + u64::from(size))).next_multiple_of(4096);
            assert_eq!((descriptors % 4096, driver_area), (0, available));
            assert_eq!(device_area, used);
        }
        queue.size = size as u16;
        queue.addresses = [descriptors, driver_area, device_area];
    }

    fn queue_unset(&mut self, number: u16) {
        self.state.borrow_mut().queues[usize::from(number)].size = 0;
    }

    fn queue_used(&mut self, number: u16) -> bool {
        let state = self.state.borrow();
        let queue = state.queues.get(usize::from(number));
        queue.is_some_and(|queue| queue.size != 0)
    }

    fn ack_interrupt(&mut self) -> InterruptStatus {
        if mem::take(&mut self.state.borrow_mut().interrupt) {
            InterruptStatus::QUEUE_INTERRUPT
        } else {
            InterruptStatus::empty()
        }
    }

    fn read_config_generation(&self) -> u32 {
        let mut state = self.state.borrow_mut();
        if state.unstable {
            state.generation = state.generation.wrapping_add(1);
        }
        state.generation
    }

    fn read_config_space<V: FromBytes + IntoBytes>(&self, offset: usize) -> Result<V> {
        let mut state = self.state.borrow_mut();
        let bytes = state.configuration.get(offset..);
        let value = bytes.and_then(|bytes| V::read_from_prefix(bytes).ok());
        let (value, _) = value.ok_or(Error::ConfigSpaceTooSmall)?;
        if offset == 0 && state.changes > 0 {
            state.changes -= 1;
            state.configuration[0] = state.configuration[0].wrapping_add(1);
        }
        Ok(value)
    }

    fn write_config_space<V: IntoBytes + Immutable>(
        &mut self,
        offset: usize,
        value: V,
    ) -> Result<()> {
        let mut state = self.state.borrow_mut();
        let bytes = state.configuration.get_mut(offset..);
        let written = bytes.and_then(|bytes| value.write_to_prefix(bytes).ok());
        written.ok_or(Error::ConfigSpaceTooSmall)
    }
}
