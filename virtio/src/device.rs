//! A device's life: set up, used, reset.

use crate::dma::Operations;
use crate::port::Port;
use crate::{Buffer, SetUpError, SplitQueue};
use alloc::boxed::Box;
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};
use core::mem::ManuallyDrop;
use virtio_drivers::transport::{DeviceStatus, InterruptStatus, Transport};
use virtio_drivers::{Hal, PhysAddr};

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
/// [`max_queue_size`](Transport::max_queue_size) returns.
pub const FIXED_SIZE: u32 = 1 << 31;

/// How often the status is read until a reset is given up: a second, where a read takes
/// 10 µs.
const RESET_READS: usize = 100_000;
/// How often the configuration is read until it is the same at beginning and end.
const CONFIGURATION_READS: usize = 16;

/// A virtio device over some transport.
///
/// The device is reset when its owner asks for it, and when the `Device` and all its queues
/// are gone, or one of the queues: whatever comes first.
pub struct Device(Rc<Shared>);

/// What the device and its queues have in common.
pub(crate) struct Shared {
    transport: RefCell<ManuallyDrop<Box<dyn Port>>>,
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

impl Device {
    /// Begins to set a device up (section 3.1.1, steps 1 to 6), with those of the features
    /// that it offers, and [`feature::VERSION_1`] and [`feature::ACCESS_PLATFORM`] if it does;
    /// one without the first is a legacy device, and may have [`feature::ANY_LAYOUT`]. Next come [`queue`](Self::queue)
    /// and [`start`](Self::start).
    ///
    /// # Errors
    /// If the device does not reset, or refuses the features.
    pub fn new<H: Hal>(
        transport: impl Transport + 'static,
        features: u64,
    ) -> Result<Self, SetUpError> {
        Self::negotiate::<H>(transport, |_| features)
    }

    /// As [`new`](Self::new), for features that depend on one another: `choose` is given
    /// those that the device offers.
    ///
    /// # Errors
    /// As for `new`.
    pub fn negotiate<H: Hal>(
        transport: impl Transport + 'static,
        choose: impl FnOnce(u64) -> u64,
    ) -> Result<Self, SetUpError> {
        Self::agree(Box::new(transport), Operations::of::<H>(), choose)
    }

    fn agree(
        transport: Box<dyn Port>,
        hal: &'static Operations,
        choose: impl FnOnce(u64) -> u64,
    ) -> Result<Self, SetUpError> {
        let mut shared = Shared {
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
        Ok(Self(Rc::new(shared)))
    }

    /// The features in use.
    pub fn features(&self) -> u64 {
        self.0.features
    }

    /// Sets up queue `number` (section 3.1.1, step 7) with at most `size` descriptors: less
    /// if the device offers less, always a power of two.
    ///
    /// # Errors
    /// If the device has no such queue, it is in use, or there is no memory for it.
    pub fn queue<B: Buffer>(&self, number: u16, size: u16) -> Result<SplitQueue<B>, SetUpError> {
        SplitQueue::new(Rc::clone(&self.0), number, size)
    }

    /// Lets the device begin (section 3.1.1, step 8). Its queues can be published then.
    pub fn start(&self) {
        let mut status = DeviceStatus::ACKNOWLEDGE | DeviceStatus::DRIVER | DeviceStatus::DRIVER_OK;
        if self.features() & feature::VERSION_1 != 0 {
            status |= DeviceStatus::FEATURES_OK;
        }
        self.0.transport.borrow_mut().set_status(status);
    }

    /// Reads `N` bytes of the device's configuration at `offset`, all of one time
    /// (section 2.5.1): where there is no generation to tell, until they are twice the same
    /// (section 2.5.4).
    ///
    /// # Errors
    /// If the configuration is shorter, or changes again and again.
    pub fn configuration<const N: usize>(&self, offset: usize) -> Result<[u8; N], SetUpError> {
        let transport = self.0.transport.borrow();
        let has_generation = self.features() & feature::VERSION_1 != 0;
        let mut last = None;
        for _ in 0..CONFIGURATION_READS {
            let mut bytes = [0; N];
            let before = transport.generation();
            transport.configuration(offset, &mut bytes)?;
            let is_same = has_generation || last == Some(bytes);
            if is_same && transport.generation() == before {
                return Ok(bytes);
            }
            last = Some(bytes);
        }
        Err(SetUpError::Unstable)
    }

    /// Takes the reasons of the last interrupt, so that the next one is a new edge.
    pub fn acknowledge_interrupt(&self) -> InterruptStatus {
        self.0.transport.borrow_mut().acknowledge_interrupt()
    }

    /// Takes all memory away from the device, which is of no more use then. Returns false if
    /// the device does not confirm it.
    pub fn reset(&self) -> bool {
        self.0.reset()
    }
}

impl Shared {
    pub(crate) fn hal(&self) -> &'static Operations {
        self.hal
    }

    pub(crate) fn features(&self) -> u64 {
        self.features
    }

    /// Whether queues must have the layout of section 2.7.2.
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
