//! virtio over PCI (virtio 1.2, section 4.1), with MSI-X.
//!
//! The firmware has placed the base address registers. Configuration space is reached
//! through ports 0xcf8 and 0xcfc, which every machine has (PCI 3.0, section 3.2.2.3.2).

use super::super::lock::InterruptLock;
use super::super::{apic, interrupts, paging};
use super::{Device, DeviceError, Identity, Transport};
use core::ptr::NonNull;
use virtio_drivers::transport::DeviceType;
use virtio_drivers::transport::pci::bus::{
    Command, ConfigurationAccess, DeviceFunction, HeaderType, PCI_CAP_ID_VNDR, PciRoot,
};
use virtio_drivers::transport::pci::{PciTransport, VIRTIO_PCI_CAP_COMMON_CFG, virtio_device_type};
use x86_64::instructions::port::Port;

const CONFIG_ADDRESS: u16 = 0xcf8;
const CONFIG_DATA: u16 = 0xcfc;
const ENABLE: u32 = 1 << 31;

/// As many as there is room for in a function's configuration (PCI 3.0, section 6.7).
const MOST_CAPABILITIES: usize = (256 - 64) / 4;
const CAPABILITY_MSIX: u8 = 0x11;
const MSIX_ENABLE: u32 = 1 << 31;
const MSIX_MASK_ALL: u32 = 1 << 30;
/// The register of a bridge that holds its bus numbers; the secondary one is byte 1.
const BRIDGE_BUSES: u8 = 0x18;
/// Machines with more devices of interest than this are not made for unikernels.
const MOST_DEVICES: usize = 32;

/// The functions that were handed out.
static TAKEN: InterruptLock<[Option<DeviceFunction>; MOST_DEVICES]> =
    InterruptLock::new([None; MOST_DEVICES]);

#[derive(Clone, Copy)]
struct Ports;

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

/// The first device of a kind that was not handed out yet.
pub(super) fn find(kind: DeviceType) -> Result<Option<Device>, DeviceError> {
    let mut root = PciRoot::new(Ports);
    let Some(function) = search(&root, kind) else {
        return Ok(None);
    };
    let mut taken = TAKEN.lock();
    let free = taken.iter_mut().find(|slot| slot.is_none());
    *free.ok_or(DeviceError::TooMany)? = Some(function);
    drop(taken);
    open(&mut root, function).map(Some)
}

/// Looks through all buses. Those behind a bridge have higher numbers than its own; a
/// bridge that the firmware has not set up leads nowhere, or back.
fn search(root: &PciRoot<Ports>, kind: DeviceType) -> Option<DeviceFunction> {
    let mut reached = [false; 256];
    reached[0] = true;
    for bus in 0..=u8::MAX {
        if !reached[usize::from(bus)] {
            continue;
        }
        for (function, info) in root.enumerate_bus(bus) {
            if info.header_type == HeaderType::PciPciBridge {
                let behind = (Ports.read_word(function, BRIDGE_BUSES) >> 8) as u8;
                reached[usize::from(behind)] |= behind > bus;
            } else if virtio_device_type(&info) == Some(kind)
                && !TAKEN.lock().contains(&Some(function))
            {
                return Some(function);
            }
        }
    }
    None
}

fn open(root: &mut PciRoot<Ports>, function: DeviceFunction) -> Result<Device, DeviceError> {
    // A list that leads back would be walked for ever.
    if root.capabilities(function).nth(MOST_CAPABILITIES).is_some() {
        return Err(DeviceError::EndlessCapabilities);
    }
    let (_, command) = root.get_status_command(function);
    root.set_command(
        function,
        command | Command::MEMORY_SPACE | Command::BUS_MASTER | Command::INTERRUPT_DISABLE,
    );
    map_bars(root, function).ok_or(DeviceError::NotMapped)?;
    let interrupt = interrupts::allocate().ok_or(DeviceError::NoVector)?;
    enable_msix(root, function, interrupt)?;
    let common = common_configuration(root, function)?;
    let transport = PciTransport::new::<Identity, _>(root, function);
    let transport = transport.map_err(|_| DeviceError::NoRegisters)?;
    Ok(Device {
        transport: Transport::pci(transport, common),
        interrupt,
    })
}

/// Maps the memory of the function, wherever the firmware has placed it.
fn map_bars(root: &mut PciRoot<Ports>, function: DeviceFunction) -> Option<()> {
    let bars = root.bars(function).ok()?;
    let places = bars.into_iter().flatten();
    places
        .filter_map(|bar| bar.memory_address_size())
        .all(|(base, length)| paging::map_device(base, length))
        .then_some(())
}

/// Lets vector 0 of the function's MSI-X table raise `interrupt` (PCI 3.0, section 6.8.2).
fn enable_msix(
    root: &mut PciRoot<Ports>,
    function: DeviceFunction,
    interrupt: interrupts::Interrupt,
) -> Result<(), DeviceError> {
    let capability = root
        .capabilities(function)
        .find(|capability| capability.id == CAPABILITY_MSIX)
        .ok_or(DeviceError::NoMessages)?
        .offset;
    let table = Ports.read_word(function, capability + 4);
    let entry = in_bar(root, function, (table & 7) as u8, table & !7, 16)?.cast::<u32>();
    let (address, data) = apic::message(interrupt);
    // SAFETY: the first entry of the table, which the firmware has placed: four words.
    unsafe {
        entry.write_volatile(address as u32);
        entry.add(1).write_volatile((address >> 32) as u32);
        entry.add(2).write_volatile(data);
        entry.add(3).write_volatile(0);
    }
    let control = Ports.read_word(function, capability);
    Ports.write_word(
        function,
        capability,
        (control | MSIX_ENABLE) & !MSIX_MASK_ALL,
    );
    Ok(())
}

/// Where the device's common configuration structure is.
fn common_configuration(
    root: &mut PciRoot<Ports>,
    function: DeviceFunction,
) -> Result<NonNull<u8>, DeviceError> {
    let capability = root
        .capabilities(function)
        .find(|capability| {
            capability.id == PCI_CAP_ID_VNDR
                && (capability.private_header >> 8) as u8 == VIRTIO_PCI_CAP_COMMON_CFG
        })
        .ok_or(DeviceError::NoRegisters)?
        .offset;
    let bar = Ports.read_word(function, capability + 4) as u8;
    let offset = Ports.read_word(function, capability + 8);
    in_bar(root, function, bar, offset, super::transport::COMMON_SIZE)
}

/// The address of `size` bytes at `offset` in a base address register's memory.
fn in_bar(
    root: &mut PciRoot<Ports>,
    function: DeviceFunction,
    bar: u8,
    offset: u32,
    size: u64,
) -> Result<NonNull<u8>, DeviceError> {
    let info = (bar < 6).then(|| root.bar_info(function, bar));
    let info = info.and_then(Result::ok).flatten();
    let memory = info.and_then(|info| info.memory_address_size());
    let (base, length) = memory.ok_or(DeviceError::OutsideBar)?;
    if u64::from(offset) + size > length {
        return Err(DeviceError::OutsideBar);
    }
    let start = (base != 0).then_some((base + u64::from(offset)) as *mut u8);
    start.and_then(NonNull::new).ok_or(DeviceError::NotPlaced)
}
