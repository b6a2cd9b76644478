//! A virtio transport that this machine offers, with its interrupts routed.

use super::super::exit;
use super::legacy::LegacyTransport;
use crate::ExitStatus;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use core::time::Duration;
use fata_time::{Clock, MachineClock};
use virtio_drivers::transport::mmio::MmioTransport;
use virtio_drivers::transport::pci::PciTransport;
use virtio_drivers::transport::{DeviceStatus, DeviceType, InterruptStatus, Transport as Virtio};
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

/// MMIO or PCI. Over PCI all queues, and changes of the configuration, raise vector 0 of the
/// device's MSI-X table.
///
/// It is never dropped: the drop of what is in it waits for a reset for as long as that takes.
pub(crate) struct Transport(ManuallyDrop<Kind>);

enum Kind {
    Mmio(MmioTransport<'static>),
    Pci {
        transport: PciTransport,
        /// The common configuration structure.
        common: NonNull<u8>,
    },
    Legacy(LegacyTransport),
}

/// Does the same with whichever transport it is.
macro_rules! each {
    ($kind:expr, $transport:ident => $action:expr) => {
        match $kind {
            Kind::Mmio($transport) => $action,
            Kind::Pci {
                transport: $transport,
                ..
            } => $action,
            Kind::Legacy($transport) => $action,
        }
    };
}

impl Transport {
    pub(super) fn mmio(transport: MmioTransport<'static>) -> Self {
        Self(ManuallyDrop::new(Kind::Mmio(transport)))
    }

    pub(super) fn pci(transport: PciTransport, common: NonNull<u8>) -> Self {
        Self(ManuallyDrop::new(Kind::Pci { transport, common }))
    }

    pub(super) fn legacy(transport: LegacyTransport) -> Self {
        Self(ManuallyDrop::new(Kind::Legacy(transport)))
    }

    /// Writes a register of the common configuration structure, where there is one.
    fn write_common(&mut self, register: usize, value: u16) {
        debug_assert!(register as u64 + 2 <= COMMON_SIZE);
        if let Kind::Pci { common, .. } = &*self.0 {
            // SAFETY: the register lies within the structure, at an even place.
            unsafe {
                common
                    .byte_add(register)
                    .cast::<u16>()
                    .write_volatile(value)
            }
        }
    }
}

impl Virtio for Transport {
    fn device_type(&self) -> DeviceType {
        each!(&*self.0, transport => transport.device_type())
    }

    fn read_device_features(&mut self) -> u64 {
        each!(&mut *self.0, transport => transport.read_device_features())
    }

    fn write_driver_features(&mut self, features: u64) {
        each!(&mut *self.0, transport => transport.write_driver_features(features));
    }

    fn max_queue_size(&mut self, queue: u16) -> u32 {
        each!(&mut *self.0, transport => transport.max_queue_size(queue))
    }

    fn notify(&mut self, queue: u16) {
        each!(&mut *self.0, transport => transport.notify(queue));
    }

    fn get_status(&self) -> DeviceStatus {
        each!(&*self.0, transport => transport.get_status())
    }

    fn set_status(&mut self, status: DeviceStatus) {
        each!(&mut *self.0, transport => transport.set_status(status));
    }

    fn set_guest_page_size(&mut self, size: u32) {
        each!(&mut *self.0, transport => transport.set_guest_page_size(size));
    }

    fn requires_legacy_layout(&self) -> bool {
        each!(&*self.0, transport => transport.requires_legacy_layout())
    }

    fn queue_set(
        &mut self,
        queue: u16,
        size: u32,
        descriptors: PhysAddr,
        driver_area: PhysAddr,
        device_area: PhysAddr,
    ) {
        // The vectors have to be set before the queue is enabled, and the device is started.
        self.write_common(CONFIG_MSIX_VECTOR, 0);
        self.write_common(QUEUE_SELECT, queue);
        self.write_common(QUEUE_MSIX_VECTOR, 0);
        each!(&mut *self.0, transport => {
            transport.queue_set(queue, size, descriptors, driver_area, device_area)
        });
    }

    fn queue_unset(&mut self, queue: u16) {
        each!(&mut *self.0, transport => transport.queue_unset(queue));
    }

    fn queue_used(&mut self, queue: u16) -> bool {
        each!(&mut *self.0, transport => transport.queue_used(queue))
    }

    fn ack_interrupt(&mut self) -> InterruptStatus {
        match &mut *self.0 {
            Kind::Mmio(transport) => transport.ack_interrupt(),
            // With MSI-X there is nothing to acknowledge.
            Kind::Pci { .. } | Kind::Legacy(_) => InterruptStatus::QUEUE_INTERRUPT,
        }
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
        each!(&*self.0, transport => transport.read_config_generation())
    }

    fn read_config_space<T: FromBytes + IntoBytes>(&self, offset: usize) -> Result<T> {
        each!(&*self.0, transport => transport.read_config_space(offset))
    }

    fn write_config_space<T: IntoBytes + Immutable>(
        &mut self,
        offset: usize,
        value: T,
    ) -> Result<()> {
        each!(&mut *self.0, transport => transport.write_config_space(offset, value))
    }
}

impl Drop for Transport {
    /// Resets the device, so that it lets go of queues and buffers. Ends the program if
    /// the device does not: it could write to memory that has another owner then.
    fn drop(&mut self) {
        self.set_status(DeviceStatus::empty());
        let deadline = MachineClock.now() + RESET_PATIENCE;
        while self.get_status() != DeviceStatus::empty() {
            if MachineClock.now() >= deadline {
                log::error!(target: "boot", "a virtio device does not answer a reset; the program ends");
                exit::exit(ExitStatus::FAILURE);
            }
            core::hint::spin_loop();
        }
    }
}
