//! A virtio transport that this machine offers, with its interrupts routed.

use core::ptr::NonNull;
use virtio_drivers::transport::mmio::MmioTransport;
use virtio_drivers::transport::pci::PciTransport;
use virtio_drivers::transport::{
    DeviceStatus, DeviceType, InterruptStatus, SomeTransport, Transport as Virtio,
};
use virtio_drivers::{PhysAddr, Result};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Bytes of `virtio_pci_common_cfg` (virtio 1.2, section 4.1.4.3).
pub(super) const COMMON_SIZE: u64 = 56;
const QUEUE_SELECT: usize = 22;
const QUEUE_MSIX_VECTOR: usize = 26;

/// MMIO or PCI. Over PCI all queues raise vector 0 of the device's MSI-X table.
pub(crate) struct Transport {
    inner: SomeTransport<'static>,
    /// The common configuration structure of a PCI device.
    common: Option<NonNull<u8>>,
}

impl Transport {
    pub(super) fn mmio(transport: MmioTransport<'static>) -> Self {
        Self {
            inner: transport.into(),
            common: None,
        }
    }

    pub(super) fn pci(transport: PciTransport, common: NonNull<u8>) -> Self {
        Self {
            inner: transport.into(),
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
        if let Some(common) = self.common {
            // SAFETY: both registers lie within the structure. The vector has to be set
            // before the queue is enabled.
            unsafe {
                common
                    .byte_add(QUEUE_SELECT)
                    .cast::<u16>()
                    .write_volatile(queue);
                common
                    .byte_add(QUEUE_MSIX_VECTOR)
                    .cast::<u16>()
                    .write_volatile(0);
            }
        }
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
