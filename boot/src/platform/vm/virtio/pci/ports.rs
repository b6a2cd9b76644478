//! Configuration space, by way of ports 0xcf8 and 0xcfc, which every machine has that has PCI
//! (PCI 3.0, section 3.2.2.3.2).

use virtio_drivers::transport::pci::bus::{ConfigurationAccess, DeviceFunction};
use x86_64::instructions::port::Port;

const CONFIG_ADDRESS: u16 = 0xcf8;
const CONFIG_DATA: u16 = 0xcfc;
const ENABLE: u32 = 1 << 31;

#[derive(Clone, Copy)]
pub(super) struct Ports;

impl Ports {
    fn select(self, function: DeviceFunction, register: u8) {
        let address = ENABLE
            | u32::from(function.bus) << 16
            | u32::from(function.device) << 11
            | u32::from(function.function) << 8
            | u32::from(register & 0xfc);
        // SAFETY: the port belongs to the PCI host bridge; without one nothing happens.
        unsafe { Port::new(CONFIG_ADDRESS).write(address) };
    }
}

impl ConfigurationAccess for Ports {
    fn read_word(&self, function: DeviceFunction, register: u8) -> u32 {
        self.select(function, register);
        // SAFETY: as above; without a device all bits are set.
        unsafe { Port::new(CONFIG_DATA).read() }
    }

    fn write_word(&mut self, function: DeviceFunction, register: u8, value: u32) {
        self.select(function, register);
        // SAFETY: the callers write to registers of the device that they set up.
        unsafe { Port::new(CONFIG_DATA).write(value) }
    }

    unsafe fn unsafe_clone(&self) -> Self {
        *self
    }
}
