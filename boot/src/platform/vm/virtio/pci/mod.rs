//! virtio over PCI (virtio 1.2, section 4.1), with MSI-X.

mod bridge;
mod placement;
mod ports;

use super::super::lock::InterruptLock;
use super::super::{apic, interrupts, paging};
use super::legacy::LegacyTransport;
use super::{Device, DeviceError, Identity, Transport};
use bridge::Bridge;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};
use ports::Ports;
use virtio_drivers::transport::DeviceType;
use virtio_drivers::transport::pci::bus::{
    BarInfo, CapabilityInfo, Command, ConfigurationAccess, DeviceFunction, HeaderType,
    PCI_CAP_ID_VNDR, PciRoot,
};
use virtio_drivers::transport::pci::{PciTransport, VIRTIO_PCI_CAP_COMMON_CFG, virtio_device_type};

/// As many as there is room for in a function's configuration (PCI 3.0, section 6.7).
const MOST_CAPABILITIES: usize = (256 - 64) / 4;
const CAPABILITY_MSIX: u8 = 0x11;
const MSIX_ENABLE: u32 = 1 << 31;
const MSIX_MASK_ALL: u32 = 1 << 30;
/// Machines with more devices of interest than this are not made for unikernels.
const MOST_DEVICES: usize = 32;

/// The functions that were handed out.
static TAKEN: InterruptLock<[Option<DeviceFunction>; MOST_DEVICES]> =
    InterruptLock::new([None; MOST_DEVICES]);
/// True if buses have numbers and registers places, as far as there are any.
static IS_COMPLETE: AtomicBool = AtomicBool::new(false);

/// The first device of a kind that was not handed out yet.
pub(super) fn find(kind: DeviceType) -> Result<Option<Device>, DeviceError> {
    if !IS_COMPLETE.swap(true, Ordering::Relaxed) {
        placement::complete();
    }
    let mut root = PciRoot::new(Ports);
    let Some(function) = search(&root, kind) else {
        return Ok(None);
    };
    let mut taken = TAKEN.lock();
    let free = taken.iter_mut().find(|slot| slot.is_none());
    *free.ok_or(DeviceError::TooMany)? = Some(function);
    drop(taken);
    open(&mut root, function, kind).map(Some)
}

/// Looks through all buses that bridges lead to.
fn search(root: &PciRoot<Ports>, kind: DeviceType) -> Option<DeviceFunction> {
    let mut reached = [false; 256];
    reached[0] = true;
    for bus in 0..=u8::MAX {
        if !reached[usize::from(bus)] {
            continue;
        }
        for (function, info) in root.enumerate_bus(bus) {
            if info.header_type == HeaderType::PciPciBridge {
                if let Some((behind, _)) = Bridge(function).buses() {
                    reached[usize::from(behind)] = true;
                }
            } else if virtio_device_type(&info) == Some(kind)
                && !TAKEN.lock().contains(&Some(function))
            {
                return Some(function);
            }
        }
    }
    None
}

fn open(
    root: &mut PciRoot<Ports>,
    function: DeviceFunction,
    kind: DeviceType,
) -> Result<Device, DeviceError> {
    // A list that leads back would be walked for ever.
    if root.capabilities(function).nth(MOST_CAPABILITIES).is_some() {
        return Err(DeviceError::EndlessCapabilities);
    }
    placement::open_way(function.bus);
    let (_, command) = root.get_status_command(function);
    root.set_command(
        function,
        command
            | Command::IO_SPACE
            | Command::MEMORY_SPACE
            | Command::BUS_MASTER
            | Command::INTERRUPT_DISABLE,
    );
    map_bars(root, function).ok_or(DeviceError::NotMapped)?;
    let interrupt = interrupts::allocate().ok_or(DeviceError::NoVector)?;
    enable_msix(root, function, interrupt)?;
    let transport = match common_configuration(root, function) {
        Some(capability) => modern(root, function, capability)?,
        None => legacy(root, function, kind)?,
    };
    Ok(Device {
        transport,
        interrupt,
    })
}

fn modern(
    root: &mut PciRoot<Ports>,
    function: DeviceFunction,
    common: CapabilityInfo,
) -> Result<Transport, DeviceError> {
    let bar = Ports.read_word(function, common.offset + 4) as u8;
    let offset = Ports.read_word(function, common.offset + 8);
    let common = in_bar(root, function, bar, offset, super::transport::COMMON_SIZE)?;
    let transport = PciTransport::new::<Identity, _>(root, function);
    let transport = transport.map_err(|_| DeviceError::NoRegisters)?;
    Ok(Transport::pci(transport, common))
}

/// The registers of legacy devices are those of the first base address register.
fn legacy(
    root: &mut PciRoot<Ports>,
    function: DeviceFunction,
    kind: DeviceType,
) -> Result<Transport, DeviceError> {
    let Ok(Some(BarInfo::IO { address, size })) = root.bar_info(function, 0) else {
        return Err(DeviceError::NoRegisters);
    };
    if address == 0 {
        return Err(DeviceError::NotPlaced);
    }
    // SAFETY: the device has these ports.
    let transport = unsafe { LegacyTransport::new(kind, address, size) };
    transport
        .map(Transport::legacy)
        .ok_or(DeviceError::OutsideBar)
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

/// The capability that tells where a modern device's common configuration structure is.
fn common_configuration(root: &PciRoot<Ports>, function: DeviceFunction) -> Option<CapabilityInfo> {
    root.capabilities(function).find(|capability| {
        capability.id == PCI_CAP_ID_VNDR
            && (capability.private_header >> 8) as u8 == VIRTIO_PCI_CAP_COMMON_CFG
    })
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
