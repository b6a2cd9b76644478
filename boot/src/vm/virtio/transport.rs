//! A virtio transport that this machine offers, with its interrupts routed.

use super::super::exit;
use crate::ExitStatus;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use core::time::Duration;
use fata_time::{Clock, MachineClock};
use virtio_drivers::transport::mmio::MmioTransport;
use virtio_drivers::transport::pci::PciTransport;
use virtio_drivers::transport::{
    DeviceStatus, DeviceType, InterruptStatus, SomeTransport, Transport as Virtio,
};
use virtio_drivers::{Error, PhysAddr, Result};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Bytes of `virtio_pci_common_cfg` (virtio 1.2, section 4.1.4.3).
pub(super) const COMMON_SIZE: u64 = 56;
const CONFIG_MSIX_VECTOR: usize = 16;
const QUEUE_SELECT: usize = 22;
const QUEUE_MSIX_VECTOR: usize = 26;

/// How long a device may take for a reset.
const RESET_PATIENCE: Duration = Duration::from_secs(1);
/// How often a device may change its configuration while that is read.
const MOST_CHANGES: usize = 100;

/// MMIO or PCI. Over PCI all queues, and changes of the configuration, raise vector 0 of
/// the device's MSI-X table.
pub(crate) struct Transport {
    /// Never dropped: its drop waits for a reset for as long as that takes.
    inner: ManuallyDrop<SomeTransport<'static>>,
    /// The common configuration structure of a PCI device.
    common: Option<NonNull<u8>>,
}

impl Transport {
    pub(super) fn mmio(transport: MmioTransport<'static>) -> Self {
        Self {
            inner: ManuallyDrop::new(transport.into()),
            common: None,
        }
    }

    /// Writes a register of the common configuration structure, where there is one.
    fn write_common(&mut self, register: usize, value: u16) {
        debug_assert!(register as u64 + 2 <= COMMON_SIZE);
        if let Some(common) = self.common {
            // SAFETY: the register lies within the structure, at an even place.
            unsafe {
                common
                    .byte_add(register)
                    .cast::<u16>()
                    .write_volatile(value)
            }
        }
    }

    pub(super) fn pci(transport: PciTransport, common: NonNull<u8>) -> Self {
        Self {
            inner: ManuallyDrop::new(transport.into()),
            common: Some(common),
        }
    }
}

impl Virtio for Transport {
    fn device_type(&self) -> DeviceType {
        self.inner.device_type()
    }

    fn read_device_features(&mut self) -> u64 {
        self.inner.read_device_features()
    }

    fn write_driver_features(&mut self, features: u64) {
        self.inner.write_driver_features(features);
    }

    fn max_queue_size(&mut self, queue: u16) -> u32 {
        self.inner.max_queue_size(queue)
    }

    fn notify(&mut self, queue: u16) {
        self.inner.notify(queue);
    }

    fn get_status(&self) -> DeviceStatus {
        self.inner.get_status()
    }

    fn set_status(&mut self, status: DeviceStatus) {
        self.inner.set_status(status);
    }

    fn set_guest_page_size(&mut self, size: u32) {
        self.inner.set_guest_page_size(size);
    }

    fn requires_legacy_layout(&self) -> bool {
        self.inner.requires_legacy_layout()
    }

    fn queue_set(
        &mut self,
        queue: u16,
        size: u32,
        descriptors: PhysAddr,
        driver_area: PhysAddr,
        device_area: PhysAddr,
    ) {
        // The vector has to be set before the queue is enabled.
        self.write_common(QUEUE_SELECT, queue);
        self.write_common(QUEUE_MSIX_VECTOR, 0);
        self.inner
            .queue_set(queue, size, descriptors, driver_area, device_area);
    }

    fn queue_unset(&mut self, queue: u16) {
        self.inner.queue_unset(queue);
    }

    fn queue_used(&mut self, queue: u16) -> bool {
        self.inner.queue_used(queue)
    }

    fn ack_interrupt(&mut self) -> InterruptStatus {
        match self.common {
            // With MSI-X there is nothing to acknowledge.
            Some(_) => InterruptStatus::QUEUE_INTERRUPT,
            None => self.inner.ack_interrupt(),
        }
    }

    fn finish_init(&mut self) {
        self.write_common(CONFIG_MSIX_VECTOR, 0);
        self.inner.finish_init();
    }

    fn read_consistent<V>(&self, read: impl Fn() -> Result<V>) -> Result<V> {
        for _ in 0..MOST_CHANGES {
            let before = self.read_config_generation();
            let value = read();
            if before == self.read_config_generation() {
                return value;
            }
        }
        Err(Error::IoError)
    }

    fn read_config_generation(&self) -> u32 {
        self.inner.read_config_generation()
    }

    fn read_config_space<T: FromBytes + IntoBytes>(&self, offset: usize) -> Result<T> {
        self.inner.read_config_space(offset)
    }

    fn write_config_space<T: IntoBytes + Immutable>(
        &mut self,
        offset: usize,
        value: T,
    ) -> Result<()> {
        self.inner.write_config_space(offset, value)
    }
}

impl Drop for Transport {
    /// Resets the device, so that it lets go of queues and buffers. Ends the program if
    /// the device does not: it could write to memory that has another owner then.
    fn drop(&mut self) {
        self.inner.set_status(DeviceStatus::empty());
        let deadline = MachineClock.now() + RESET_PATIENCE;
        while self.inner.get_status() != DeviceStatus::empty() {
            if MachineClock.now() >= deadline {
                log::error!(target: "boot", "a virtio device does not answer a reset; the program ends");
                exit::exit(ExitStatus::FAILURE);
            }
            core::hint::spin_loop();
        }
    }
}
