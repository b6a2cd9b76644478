//! The legacy interface of virtio over PCI (virtio 1.2, section 4.1.4.10): registers at ports.

use core::cell::Cell;
use virtio_drivers::transport::{DeviceStatus, DeviceType, InterruptStatus, Transport};
use virtio_drivers::{Error, PAGE_SIZE, PhysAddr, Result};
use x86_64::instructions::port::Port;
use x86_64::structures::port::{PortRead, PortWrite};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// As [`fata_virtio::FIXED_SIZE`]. Programs without devices are smaller without that crate.
pub(super) const FIXED_SIZE: u32 = 1 << 31;
#[cfg(any(feature = "disk", feature = "net", feature = "terminal"))]
const _: () = assert!(FIXED_SIZE == fata_virtio::FIXED_SIZE);

/// Where in the ports is what.
const DEVICE_FEATURES: u16 = 0;
const DRIVER_FEATURES: u16 = 4;
const QUEUE_ADDRESS: u16 = 8;
const QUEUE_SIZE: u16 = 12;
const QUEUE_SELECT: u16 = 14;
const QUEUE_NOTIFY: u16 = 16;
const STATUS: u16 = 18;
/// These two are there while MSI-X is enabled; the device's configuration follows.
const CONFIG_VECTOR: u16 = 20;
const QUEUE_VECTOR: u16 = 22;
const CONFIGURATION: u16 = 24;

/// A legacy device with MSI-X. All queues, and changes of the configuration, raise vector 0.
pub(super) struct LegacyTransport {
    kind: DeviceType,
    /// The first of the device's ports, and how many there are.
    base: u16,
    count: u16,
    /// The queue that is selected.
    selected: Cell<Option<u16>>,
}

impl LegacyTransport {
    /// The device of this kind whose MSI-X is enabled and whose registers are at `count` ports
    /// from `base` on. `None` if those are too few, or no ports.
    ///
    /// # Safety
    /// The ports are the device's, for ever.
    pub(super) unsafe fn new(kind: DeviceType, base: u32, count: u32) -> Option<Self> {
        let (base, count) = (u16::try_from(base).ok()?, u16::try_from(count).ok()?);
        base.checked_add(count)?;
        (count >= CONFIGURATION).then_some(Self {
            kind,
            base,
            count,
            selected: Cell::new(None),
        })
    }

    fn read<T: PortRead>(&self, register: u16) -> T {
        // SAFETY: the port is the device's; the callers know what the register does.
        unsafe { Port::new(self.base + register).read() }
    }

    fn write<T: PortWrite>(&self, register: u16, value: T) {
        // SAFETY: as above.
        unsafe { Port::new(self.base + register).write(value) }
    }

    fn select(&self, queue: u16) {
        if self.selected.replace(Some(queue)) != Some(queue) {
            self.write(QUEUE_SELECT, queue);
        }
    }

    /// The port of `size` bytes of the configuration, if they are there.
    fn place(&self, offset: usize, size: usize) -> Result<u16> {
        let place = offset.checked_add(CONFIGURATION.into());
        let end = place.and_then(|place| place.checked_add(size));
        match (place, end) {
            (Some(place), Some(end)) if end <= self.count.into() => Ok(place as u16),
            _ => Err(Error::ConfigSpaceTooSmall),
        }
    }
}

impl Transport for LegacyTransport {
    fn device_type(&self) -> DeviceType {
        self.kind
    }

    fn read_device_features(&mut self) -> u64 {
        self.read::<u32>(DEVICE_FEATURES).into()
    }

    fn write_driver_features(&mut self, features: u64) {
        self.write(DRIVER_FEATURES, features as u32);
    }

    /// Drivers cannot choose the size (section 4.1.5.1.3.1).
    fn max_queue_size(&mut self, queue: u16) -> u32 {
        self.select(queue);
        match self.read::<u16>(QUEUE_SIZE) {
            0 => 0,
            size => u32::from(size) | FIXED_SIZE,
        }
    }

    fn notify(&mut self, queue: u16) {
        self.write(QUEUE_NOTIFY, queue);
    }

    fn get_status(&self) -> DeviceStatus {
        DeviceStatus::from_bits_truncate(self.read::<u8>(STATUS).into())
    }

    fn set_status(&mut self, status: DeviceStatus) {
        self.selected.set(None);
        self.write(STATUS, status.bits() as u8);
    }

    /// It is always 4 KiB over PCI.
    fn set_guest_page_size(&mut self, _: u32) {}

    fn requires_legacy_layout(&self) -> bool {
        true
    }

    fn queue_set(&mut self, queue: u16, _: u32, descriptors: PhysAddr, _: PhysAddr, _: PhysAddr) {
        // The vectors have to be set before the queue is, and the device is started.
        self.write(CONFIG_VECTOR, 0_u16);
        self.select(queue);
        self.write(QUEUE_VECTOR, 0_u16);
        self.write(QUEUE_ADDRESS, (descriptors / PAGE_SIZE as PhysAddr) as u32);
    }

    fn queue_unset(&mut self, queue: u16) {
        self.select(queue);
        self.write(QUEUE_ADDRESS, 0_u32);
    }

    fn queue_used(&mut self, queue: u16) -> bool {
        self.select(queue);
        self.read::<u32>(QUEUE_ADDRESS) != 0
    }

    /// With MSI-X there is nothing to acknowledge.
    fn ack_interrupt(&mut self) -> InterruptStatus {
        InterruptStatus::QUEUE_INTERRUPT
    }

    fn read_config_generation(&self) -> u32 {
        0
    }

    fn read_config_space<T: FromBytes + IntoBytes>(&self, offset: usize) -> Result<T> {
        let place = self.place(offset, size_of::<T>())?;
        let value: u32 = match size_of::<T>() {
            1 => self.read::<u8>(place).into(),
            2 => self.read::<u16>(place).into(),
            4 => self.read::<u32>(place),
            _ => return Err(Error::InvalidParam),
        };
        let bytes = value.to_le_bytes();
        let value = T::read_from_prefix(&bytes);
        value
            .map(|(value, _)| value)
            .map_err(|_| Error::InvalidParam)
    }

    fn write_config_space<T: IntoBytes + Immutable>(
        &mut self,
        offset: usize,
        value: T,
    ) -> Result<()> {
        let place = self.place(offset, size_of::<T>())?;
        for (place, byte) in (place..).zip(value.as_bytes()) {
            self.write(place, *byte);
        }
        Ok(())
    }
}
