//! The part of a device that its queues share: the transport, the features, the reset.

use crate::SetUpError;
use crate::dma::Operations;
use crate::port::Port;
use alloc::boxed::Box;
use core::cell::{Cell, RefCell};
use core::mem::ManuallyDrop;
use virtio_drivers::PhysAddr;
use virtio_drivers::transport::DeviceStatus;

/// Feature bits of all kinds of devices (section 6).
pub mod feature {
    /// Header and data may share a descriptor; legacy devices only (section 2.7.4.3).
    pub const ANY_LAYOUT: u64 = 1 << 27;
    /// Chains can be in tables of their own: each then takes one descriptor of the queue.
    pub const INDIRECT_DESCRIPTORS: u64 = 1 << 28;
    /// Either side says at which index it wants to be told.
    pub const EVENT_INDEX: u64 = 1 << 29;
    /// The device follows version 1 of the specification or a later one.
    pub const VERSION_1: u64 = 1 << 32;
    /// The device sees memory as the platform lets it see it (section 6.1). Where no IOMMU
    /// translates, and Fata switches none on, that is by physical addresses, as ever.
    pub const ACCESS_PLATFORM: u64 = 1 << 33;

    /// Those that change nothing for a driver of Fata, and that a device may insist on.
    pub(super) const ALWAYS: u64 = VERSION_1 | ACCESS_PLATFORM;
}

/// A transport whose queues have a size that drivers cannot choose, as legacy devices over PCI
/// have (section 4.1.5.1.3.1), adds this bit to what its
/// [`max_queue_size`](virtio_drivers::transport::Transport::max_queue_size) returns.
pub const FIXED_SIZE: u32 = 1 << 31;

/// How often the status is read until a reset is given up: a second, where a read takes
/// 10 µs.
const RESET_READS: usize = 100_000;
/// A device, as it and its queues see it.
pub(crate) struct Shared {
    pub(crate) transport: RefCell<ManuallyDrop<Box<dyn Port>>>,
    hal: &'static Operations,
    features: u64,
    state: Cell<State>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The device may access memory that it was given.
    Live,
    /// It does not.
    Reset,
    /// It was told not to, but does not confirm it.
    Stuck,
}

impl Shared {
    /// Begins to set a device up, with those of its features that `choose` takes.
    ///
    /// # Errors
    /// If the device does not reset, or refuses the features.
    pub(crate) fn agree(
        transport: Box<dyn Port>,
        hal: &'static Operations,
        choose: impl FnOnce(u64) -> u64,
    ) -> Result<Self, SetUpError> {
        let mut shared = Self {
            transport: RefCell::new(ManuallyDrop::new(transport)),
            hal,
            features: 0,
            state: Cell::new(State::Live),
        };
        if !shared.reset() {
            return Err(SetUpError::Stuck);
        }
        shared.state.set(State::Live);
        let transport = shared.transport.get_mut();
        let known = DeviceStatus::ACKNOWLEDGE | DeviceStatus::DRIVER;
        transport.set_status(known);
        let offered = transport.device_features();
        let modern = offered & feature::VERSION_1 != 0;
        let always = if modern {
            feature::ALWAYS
        } else {
            feature::ANY_LAYOUT
        };
        let accepted = offered & (choose(offered) | always);
        transport.set_driver_features(accepted);
        // Legacy devices do not know this step (section 3.1.2).
        if modern {
            transport.set_status(known | DeviceStatus::FEATURES_OK);
            if !transport.status().contains(DeviceStatus::FEATURES_OK) {
                return Err(SetUpError::FeaturesRefused);
            }
        }
        transport.set_page_size();
        shared.features = accepted;
        Ok(shared)
    }

    pub(crate) fn hal(&self) -> &'static Operations {
        self.hal
    }

    pub(crate) fn features(&self) -> u64 {
        self.features
    }

    /// Tells whether queues must have the layout of section 2.7.2.
    pub(crate) fn is_legacy(&self) -> bool {
        self.transport.borrow().is_legacy()
    }

    /// The most descriptors that a queue can have; 0 if there is no such queue. With
    /// [`FIXED_SIZE`] it has so many, no fewer.
    ///
    /// # Errors
    /// If the queue is in use.
    pub(crate) fn free_queue_size(&self, number: u16) -> Result<u32, SetUpError> {
        let mut transport = self.transport.borrow_mut();
        if transport.is_queue_used(number) {
            return Err(SetUpError::QueueInUse(number));
        }
        Ok(transport.most_descriptors(number))
    }

    pub(crate) fn set_queue(&self, number: u16, size: u16, addresses: [PhysAddr; 3]) {
        let mut transport = self.transport.borrow_mut();
        transport.set_queue(number, size.into(), addresses);
    }

    pub(crate) fn notify(&self, number: u16) {
        if self.state.get() == State::Live {
            self.transport.borrow_mut().notify(number);
        }
    }

    /// Returns whether the device has let go of all memory.
    pub(crate) fn reset(&self) -> bool {
        if self.state.get() == State::Live {
            let mut transport = self.transport.borrow_mut();
            transport.set_status(DeviceStatus::empty());
            // Section 2.4.2: until the device reads 0, the reset is under way.
            let done = (0..RESET_READS).any(|_| transport.status().is_empty());
            self.state
                .set(if done { State::Reset } else { State::Stuck });
        }
        self.state.get() == State::Reset
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // The transport of a device that is stuck is not dropped: it would wait for ever.
        if self.reset() {
            // SAFETY: this is the only place that drops it, and nothing uses it afterwards.
            unsafe { ManuallyDrop::drop(self.transport.get_mut()) };
        }
    }
}
