//! Numbers for buses and places for registers, where the firmware has not given them: QEMU's
//! `qboot.rom` gives none, others leave out bridges.

use super::super::space::Space;
use super::bridge::{Bridge, MEMORY_UNIT, PORTS_UNIT};
use super::ports::Ports;
use alloc::vec::Vec;
use virtio_drivers::transport::pci::bus::{
    BarInfo, Command, ConfigurationAccess, DeviceFunction, DeviceFunctionInfo, HeaderType, PciRoot,
};
use virtio_drivers::transport::pci::virtio_device_type;

/// Bridges behind bridges beyond this number are passed over.
const MOST_BRIDGES: usize = 8;

/// Where the first base address register is.
const FIRST_BAR: u8 = 0x10;

/// The end of what QEMU's machines leave to PCI below 4 GiB: memory ends below it, the window for
/// configuration too, and the I/O APIC is at its end.
const MEMORY: Space = Space {
    start: 0xf000_0000,
    end: 0xfec0_0000,
};
/// Ports above those of the chip sets, where firmware places devices, too.
const PORTS: Space = Space {
    start: 0xc000,
    end: 0x1_0000,
};

/// The free places on a bus.
#[derive(Clone, Copy)]
struct Free {
    memory: Space,
    ports: Space,
}

/// Completes what the firmware has left undone for virtio devices. It does nothing else.
pub(super) fn complete() {
    let mut last = 0;
    last_bus(0, &mut last, 0);
    number(0, &mut last, 0);
    if is_incomplete(0, 0) {
        let free = Free {
            memory: MEMORY,
            ports: PORTS,
        };
        place(0, free, 0);
    }
}

fn functions(bus: u8) -> impl Iterator<Item = (DeviceFunction, DeviceFunctionInfo)> {
    PciRoot::new(Ports).enumerate_bus(bus)
}

fn bridges(bus: u8) -> impl Iterator<Item = Bridge> {
    let bridges = functions(bus).filter(|(_, info)| info.header_type == HeaderType::PciPciBridge);
    bridges.map(|(function, _)| Bridge(function))
}

/// Virtio devices on a bus.
fn devices(bus: u8) -> impl Iterator<Item = DeviceFunction> {
    let devices = functions(bus).filter(|(_, info)| virtio_device_type(info).is_some());
    devices.map(|(function, _)| function)
}

/// Finds the last bus that has a number.
fn last_bus(bus: u8, last: &mut u8, depth: usize) {
    for (behind, end) in bridges(bus).filter_map(Bridge::buses) {
        *last = (*last).max(end);
        if depth < MOST_BRIDGES {
            last_bus(behind, last, depth + 1);
        }
    }
}

/// Numbers the buses behind those bridges that have none. Behind bridges that the firmware has
/// numbered there is no room for more.
fn number(bus: u8, last: &mut u8, depth: usize) {
    for bridge in bridges(bus).filter(|bridge| bridge.buses().is_none()) {
        if *last == u8::MAX || depth == MOST_BRIDGES {
            return;
        }
        *last += 1;
        let behind = *last;
        bridge.set_buses(behind, u8::MAX);
        bridge.close_unset();
        number(behind, last, depth + 1);
        bridge.set_buses(behind, *last);
    }
}

/// Returns whether some virtio device has no place for its registers, or is behind a bridge that
/// hands nothing on. A device that the firmware has let answer has all its places.
fn is_incomplete(bus: u8, depth: usize) -> bool {
    let mut root = PciRoot::new(Ports);
    let is_placed = |function| {
        let (_, command) = root.get_status_command(function);
        command.contains(Command::MEMORY_SPACE)
            || root
                .bars(function)
                .is_ok_and(|bars| bars.iter().flatten().all(|bar| address(bar) != 0))
    };
    if !devices(bus).all(is_placed) {
        return true;
    }
    let mut behind = bridges(bus).filter_map(Bridge::buses);
    depth < MOST_BRIDGES && behind.any(|(behind, _)| is_incomplete(behind, depth + 1))
}

/// Finds places for the virtio devices on a bus and behind it. Returns what is left free.
fn place(bus: u8, free: Free, depth: usize) -> Free {
    let used = used(bus);
    let mut free = Free {
        memory: free.memory.largest_gap(used.memory),
        ports: free.ports.largest_gap(used.ports),
    };
    for function in devices(bus) {
        place_device(function, &mut free);
    }
    for bridge in bridges(bus) {
        let Some((behind, _)) = bridge.buses() else {
            continue;
        };
        if depth < MOST_BRIDGES {
            place_behind(bridge, behind, &mut free, depth);
        }
    }
    free
}

/// Finds places behind a bridge: in its windows, or in new ones.
fn place_behind(bridge: Bridge, behind: u8, free: &mut Free, depth: usize) {
    let (memory, ports) = (bridge.memory(), bridge.ports());
    let inner = Free {
        memory: memory.unwrap_or_else(|| free.memory.aligned(MEMORY_UNIT)),
        ports: ports.unwrap_or_else(|| free.ports.aligned(PORTS_UNIT)),
    };
    let left = place(behind, inner, depth + 1);
    bridge.close_unset();
    if memory.is_none()
        && let Some(window) = taken(inner.memory, left.memory, MEMORY_UNIT)
    {
        bridge.set_memory(window);
        free.memory.start = window.end;
    }
    if ports.is_none()
        && let Some(window) = taken(inner.ports, left.ports, PORTS_UNIT)
    {
        bridge.set_ports(window);
        free.ports.start = window.end;
    }
}

/// Lets the bridges hand on that lead to a bus.
pub(super) fn open_way(target: u8) {
    let (mut bus, mut steps) = (0, 0);
    let leads = |bridge: &Bridge| {
        let buses = bridge.buses();
        buses.is_some_and(|(first, last)| (first..=last).contains(&target))
    };
    while bus != target && steps < MOST_BRIDGES {
        let Some(bridge) = bridges(bus).find(leads) else {
            return;
        };
        bridge.enable();
        bus = bridge.buses().map_or(target, |(behind, _)| behind);
        steps += 1;
    }
}

/// The part taken off the start of a space, in whole units.
fn taken(before: Space, after: Space, unit: u64) -> Option<Space> {
    let end = after.aligned(unit).start;
    (after.start > before.start).then_some(Space {
        start: before.start,
        end,
    })
}

fn place_device(function: DeviceFunction, free: &mut Free) {
    let mut root = PciRoot::new(Ports);
    let Ok(bars) = root.bars(function) else {
        return;
    };
    for (bar, info) in (0..).zip(bars) {
        match info {
            Some(info) if address(&info) == 0 => place_bar(function, bar, &info, free),
            _ => {}
        }
    }
}

fn place_bar(function: DeviceFunction, bar: u8, info: &BarInfo, free: &mut Free) {
    let place = match *info {
        BarInfo::Memory { size, .. } => free.memory.take(size),
        BarInfo::IO { size, .. } => free.ports.take(size.into()),
    };
    let Some(place) = place else {
        return;
    };
    let register = FIRST_BAR + 4 * bar;
    Ports.write_word(function, register, place as u32);
    if info.takes_two_entries() {
        Ports.write_word(function, register + 4, (place >> 32) as u32);
    }
}

fn address(bar: &BarInfo) -> u64 {
    match *bar {
        BarInfo::Memory { address, .. } => address,
        BarInfo::IO { address, .. } => address.into(),
    }
}

struct Used {
    memory: Vec<Space>,
    ports: Vec<Space>,
}

/// The places of the functions on a bus, and the bridges' windows.
fn used(bus: u8) -> Used {
    let mut used = Used {
        memory: Vec::new(),
        ports: Vec::new(),
    };
    let mut root = PciRoot::new(Ports);
    for (function, info) in functions(bus) {
        // In other headers, other registers follow.
        let bars = match info.header_type {
            HeaderType::Standard => 0..6,
            HeaderType::PciPciBridge => 0..2,
            _ => 0..0,
        };
        if info.header_type == HeaderType::PciPciBridge {
            let bridge = Bridge(function);
            used.memory.extend(bridge.memory());
            used.memory.extend(bridge.prefetchable());
            used.ports.extend(bridge.ports());
        }
        let mut skip = false;
        for bar in bars {
            if core::mem::take(&mut skip) {
                continue;
            }
            match root.bar_info(function, bar) {
                Ok(Some(BarInfo::IO { address, size })) => {
                    used.ports.push(Space::of(address.into(), size.into()));
                }
                Ok(Some(info)) => {
                    skip = info.takes_two_entries();
                    let place = info.memory_address_size();
                    used.memory
                        .extend(place.map(|(start, size)| Space::of(start, size)));
                }
                _ => {}
            }
        }
    }
    used
}
