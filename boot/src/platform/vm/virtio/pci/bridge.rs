//! Bridges from one bus to another (PCI-to-PCI Bridge Architecture 1.2, section 3.2).

use super::super::space::Space;
use super::ports::Ports;
use virtio_drivers::transport::pci::bus::{Command, ConfigurationAccess, DeviceFunction, PciRoot};

/// The register of the numbers of buses: the bridge's own, the one behind it, the last behind it.
const BUSES: u8 = 0x18;
/// The windows: ports, memory, and memory that can be read ahead, with the upper halves of its
/// first and last address.
const PORTS: u8 = 0x1c;
const MEMORY: u8 = 0x20;
const PREFETCHABLE: u8 = 0x24;
const PREFETCHABLE_START: u8 = 0x28;
const PREFETCHABLE_END: u8 = 0x2c;
const PORTS_UPPER: u8 = 0x30;

/// Windows begin and end at multiples of this.
pub(super) const PORTS_UNIT: u64 = 1 << 12;
pub(super) const MEMORY_UNIT: u64 = 1 << 20;

/// The start of a memory window above its end.
const CLOSED: u32 = 0xfff0;

/// A bridge.
#[derive(Clone, Copy)]
pub(super) struct Bridge(pub(super) DeviceFunction);

impl Bridge {
    /// The bus behind the bridge, and the last one behind it, if they are numbered. Those behind
    /// a bridge have higher numbers than its own: one that the firmware has not set up leads
    /// nowhere, or back.
    pub(super) fn buses(self) -> Option<(u8, u8)> {
        let [_, first, last, _] = Ports.read_word(self.0, BUSES).to_le_bytes();
        (self.0.bus < first && first <= last).then_some((first, last))
    }

    /// Numbers the buses behind the bridge.
    pub(super) fn set_buses(self, first: u8, last: u8) {
        let [.., timer] = Ports.read_word(self.0, BUSES).to_le_bytes();
        let buses = [self.0.bus, first, last, timer];
        Ports.write_word(self.0, BUSES, u32::from_le_bytes(buses));
    }

    /// Lets the bridge hand on accesses, in both directions.
    pub(super) fn enable(self) {
        let mut root = PciRoot::new(Ports);
        let (_, command) = root.get_status_command(self.0);
        let wanted = Command::IO_SPACE | Command::MEMORY_SPACE | Command::BUS_MASTER;
        if !command.contains(wanted) {
            root.set_command(self.0, command | wanted);
        }
    }

    /// The window of ports; `None` if it is closed, or was never set.
    pub(super) fn ports(self) -> Option<Space> {
        let [first, last, ..] = Ports.read_word(self.0, PORTS).to_le_bytes();
        let [first, last] = [first, last].map(|byte| u64::from(byte & 0xf0) << 8);
        window(first, last, PORTS_UNIT)
    }

    /// The window of memory; `None` as for ports.
    pub(super) fn memory(self) -> Option<Space> {
        let (first, last) = halves(Ports.read_word(self.0, MEMORY));
        window(first, last, MEMORY_UNIT)
    }

    /// The window of memory that can be read ahead; `None` as for ports.
    pub(super) fn prefetchable(self) -> Option<Space> {
        let (first, last) = halves(Ports.read_word(self.0, PREFETCHABLE));
        let upper = |register| u64::from(Ports.read_word(self.0, register)) << 32;
        window(
            first | upper(PREFETCHABLE_START),
            last | upper(PREFETCHABLE_END),
            MEMORY_UNIT,
        )
    }

    pub(super) fn set_ports(self, window: Space) {
        let first = (window.start >> 8) as u32 & 0xf0;
        let last = ((window.end - 1) >> 8) as u32 & 0xf0;
        Ports.write_word(self.0, PORTS_UPPER, 0);
        Ports.write_word(self.0, PORTS, last << 8 | first);
    }

    pub(super) fn set_memory(self, window: Space) {
        let first = (window.start >> 16) as u32 & CLOSED;
        let last = ((window.end - 1) >> 16) as u32 & CLOSED;
        Ports.write_word(self.0, MEMORY, last << 16 | first);
    }

    /// Closes windows of memory that were never set: they would keep the devices behind the
    /// bridge from the memory at address zero.
    pub(super) fn close_unset(self) {
        for register in [MEMORY, PREFETCHABLE] {
            let (first, _) = halves(Ports.read_word(self.0, register));
            if first == 0 {
                Ports.write_word(self.0, register, CLOSED);
            }
        }
    }
}

/// The first and the last address, without what is less than a unit.
fn halves(register: u32) -> (u64, u64) {
    let half = |half: u32| u64::from(half & CLOSED) << 16;
    (half(register), half(register >> 16))
}

fn window(first: u64, last: u64, unit: u64) -> Option<Space> {
    (first != 0 && first <= last).then_some(Space {
        start: first,
        end: last.saturating_add(unit),
    })
}
