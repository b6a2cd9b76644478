//! Facts from the firmware's tables: ACPI 6.5, section 5.2.
//!
//! Nothing here reads memory by itself, as in [`boot_protocol`](super::boot_protocol): whatever lies in
//! memory, there is no panic, and the work is bounded. Every image holds the way to switch the
//! machine off, so that is written for few instructions.

/// Where a table's own length is, behind its signature.
const LENGTH: u32 = 4;
/// Bytes of a table before its own content: signature, length, and who made it.
const HEADER: u32 = 36;
/// Of a table that claims to be longer, the rest is passed over.
const LONGEST: u32 = 1 << 20;

/// Where in the root pointer (section 5.2.5.3) is what.
const REVISION: u32 = 15;
const ROOT: u32 = 16;
const EXTENDED_ROOT: u32 = 24;
/// The table of addresses of 64 bits; those in the other one have 32.
const EXTENDED: u32 = u32::from_le_bytes(*b"XSDT");

/// Where in the fixed description (section 5.2.9) is what.
const DESCRIPTION: u32 = 40;
const FLAGS: u32 = 112;
const SLEEP_CONTROL: u32 = 244;
/// There is no power management control register, but one to control sleep.
const HARDWARE_REDUCED: u64 = 1 << 20;

/// Kinds of registers (section 5.2.3.2).
const SYSTEM_MEMORY: u8 = 0;
const SYSTEM_PORTS: u8 = 1;

/// Sleep type 5, which is S5 on both monitors that have such a register, and sleep enable
/// (section 4.8.3.7). The byte code has the type, too; to look there costs every image 100 bytes.
pub const SLEEP_SOFT_OFF: u8 = 5 << 2 | 1 << 5;

/// Where the entries of the interrupt controllers' table (section 5.2.12) begin.
const CONTROLLERS: u32 = 44;
const IO_APIC: u8 = 1;

/// The tables that the firmware has left. All addresses are below 4 GiB.
#[derive(Clone, Copy)]
pub struct Tables<W> {
    root: u32,
    words: W,
}

/// The place of a register of one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// At a physical address below 4 GiB.
    Memory(u32),
    /// At a port.
    Port(u16),
}

impl<W: Fn(u32) -> u64 + Copy> Tables<W> {
    /// The tables to which the root pointer at `pointer` leads; none if it leads to none.
    ///
    /// `words` gives the eight bytes at an address as a little-endian number; zero where there is
    /// no memory.
    pub fn new(pointer: u32, words: W) -> Self {
        let is_extended = words(pointer.wrapping_add(REVISION)) as u8 > 1;
        let place = if is_extended { EXTENDED_ROOT } else { ROOT };
        Self {
            root: words(pointer.wrapping_add(place)) as u32,
            words,
        }
    }

    /// The word at an offset in a table.
    fn word(self, table: u32, offset: u32) -> u64 {
        (self.words)(table.wrapping_add(offset))
    }

    /// How many bytes of a table count.
    pub fn length(self, table: u32) -> u32 {
        (self.word(table, LENGTH) as u32).min(LONGEST)
    }

    /// The first table with this signature, from number `next` on, which is counted on.
    pub fn find(self, signature: &[u8; 4], next: &mut u32) -> Option<u32> {
        let is_extended = self.word(self.root, 0) as u32 == EXTENDED;
        let width = if is_extended { 8 } else { 4 };
        loop {
            let place = HEADER + *next * width;
            if place >= self.length(self.root) {
                return None;
            }
            *next += 1;
            let table = self.word(self.root, place) as u32;
            if self.word(table, 0) as u32 == u32::from_le_bytes(*signature) {
                return Some(table);
            }
        }
    }

    /// The machine's description in byte code, which the fixed one names.
    pub fn description(self, fixed: u32) -> u32 {
        self.word(fixed, DESCRIPTION) as u32
    }

    /// The register that switches a machine off which has only one to control sleep, as those of
    /// QEMU's microvm and Cloud Hypervisor.
    pub fn sleep_control(self) -> Option<Register> {
        let fixed = self.find(b"FACP", &mut 0)?;
        if self.word(fixed, FLAGS) & HARDWARE_REDUCED == 0 {
            return None;
        }
        let address = self.word(fixed, SLEEP_CONTROL + 4) as u32;
        match self.word(fixed, SLEEP_CONTROL) as u8 {
            SYSTEM_MEMORY if address != 0 => Some(Register::Memory(address)),
            SYSTEM_PORTS => Some(Register::Port(address as u16)),
            _ => None,
        }
    }

    /// Which I/O APIC takes an interrupt in: its address, and the number of the input. `None`
    /// if the tables name none that does.
    pub fn io_apic(self, interrupt: u32) -> Option<(u32, u32)> {
        let table = self.find(b"APIC", &mut 0)?;
        let (mut entry, end) = (CONTROLLERS, self.length(table));
        let mut nearest = None;
        while entry < end {
            let [kind, length, ..] = self.word(table, entry).to_le_bytes();
            let first = self.word(table, entry + 8) as u32;
            let is_nearer = nearest.is_none_or(|(_, nearest)| nearest < first);
            if kind == IO_APIC && first <= interrupt && is_nearer {
                nearest = Some((self.word(table, entry + 4) as u32, first));
            }
            // An entry counts its kind and length, too.
            entry += u32::from(length.max(2));
        }
        nearest.map(|(address, first)| (address, interrupt - first))
    }
}

#[cfg(test)]
mod tests;
