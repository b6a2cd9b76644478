//! A device's life: set up, used, reset.

use crate::dma::Operations;
use crate::shared::{Shared, feature};
use crate::{Buffer, SetUpError, SplitQueue};
use alloc::boxed::Box;
use alloc::rc::Rc;
use virtio_drivers::Hal;
use virtio_drivers::transport::{DeviceStatus, InterruptStatus, Transport};

/// How often the configuration is read until it is the same at beginning and end.
const CONFIGURATION_READS: usize = 16;

/// A virtio device over some transport.
///
/// The device is reset when its owner asks for it, and when the `Device` and all its queues
/// are gone, or one of the queues: whatever comes first.
pub struct Device(Rc<Shared>);

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
        let shared = Shared::agree(Box::new(transport), Operations::of::<H>(), choose)?;
        Ok(Self(Rc::new(shared)))
    }

    /// The features in use.
    pub fn features(&self) -> u64 {
        self.0.features()
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
