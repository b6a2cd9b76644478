//! A transport without its type, so that drivers are compiled once and not anew for each.

use crate::SetUpError;
use virtio_drivers::transport::{DeviceStatus, InterruptStatus, Transport};
use virtio_drivers::{PAGE_SIZE, PhysAddr};

/// The part of its [`Transport`] that a device needs. That has the documentation.
pub(crate) trait Port {
    fn device_features(&mut self) -> u64;
    fn set_driver_features(&mut self, features: u64);
    fn status(&self) -> DeviceStatus;
    fn set_status(&mut self, status: DeviceStatus);
    fn is_legacy(&self) -> bool;
    fn set_page_size(&mut self);
    fn is_queue_used(&mut self, queue: u16) -> bool;
    fn most_descriptors(&mut self, queue: u16) -> u32;
    fn set_queue(&mut self, queue: u16, size: u32, addresses: [PhysAddr; 3]);
    fn notify(&mut self, queue: u16);
    fn acknowledge_interrupt(&mut self) -> InterruptStatus;
    fn generation(&self) -> u32;
    /// Reads a field. Those of 4 and 8 bytes are read as words, those of 2 as half a word
    /// (section 4.2.2.2), others by byte.
    fn configuration(&self, offset: usize, bytes: &mut [u8]) -> Result<(), SetUpError>;
}

impl<T: Transport> Port for T {
    fn device_features(&mut self) -> u64 {
        self.read_device_features()
    }

    fn set_driver_features(&mut self, features: u64) {
        self.write_driver_features(features);
    }

    fn status(&self) -> DeviceStatus {
        self.get_status()
    }

    fn set_status(&mut self, status: DeviceStatus) {
        Transport::set_status(self, status);
    }

    fn is_legacy(&self) -> bool {
        self.requires_legacy_layout()
    }

    fn set_page_size(&mut self) {
        self.set_guest_page_size(PAGE_SIZE as u32);
    }

    fn is_queue_used(&mut self, queue: u16) -> bool {
        self.queue_used(queue)
    }

    fn most_descriptors(&mut self, queue: u16) -> u32 {
        self.max_queue_size(queue)
    }

    fn set_queue(&mut self, queue: u16, size: u32, addresses: [PhysAddr; 3]) {
        let [descriptors, available, used] = addresses;
        self.queue_set(queue, size, descriptors, available, used);
    }

    fn notify(&mut self, queue: u16) {
        Transport::notify(self, queue);
    }

    fn acknowledge_interrupt(&mut self) -> InterruptStatus {
        self.ack_interrupt()
    }

    fn generation(&self) -> u32 {
        self.read_config_generation()
    }

    fn configuration(&self, offset: usize, bytes: &mut [u8]) -> Result<(), SetUpError> {
        let step = match bytes.len() {
            4 | 8 => 4,
            2 => 2,
            _ => 1,
        };
        let places = (offset..).step_by(step);
        for (place, field) in places.zip(bytes.chunks_exact_mut(step)) {
            let read = match step {
                4 => self
                    .read_config_space(place)
                    .map(|word: u32| field.copy_from_slice(&word.to_le_bytes())),
                2 => self
                    .read_config_space(place)
                    .map(|half: u16| field.copy_from_slice(&half.to_le_bytes())),
                _ => self
                    .read_config_space(place)
                    .map(|byte: u8| field.copy_from_slice(&[byte])),
            };
            read.map_err(|_| SetUpError::NoField)?;
        }
        Ok(())
    }
}
