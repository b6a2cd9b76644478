//! What a boot protocol hands over: command line and memory map.
//!
//! Nothing here reads memory by itself. So it runs in a process too, where it is tested and
//! fuzzed: whatever lies in memory, there is no panic, and the work is bounded.

mod multiboot;
mod pvh;
mod region;
#[cfg(test)]
mod tests;

pub use region::{Largest, Region};

/// Gives the bytes of physical memory at an address, as many as asked for, or `None` if
/// they cannot all be read.
pub type Memory<'a, 'm> = &'a dyn Fn(u64, usize) -> Option<&'m [u8]>;

/// A command line longer than this is cut off. QEMU's and Firecracker's are shorter.
const LONGEST_COMMAND_LINE: usize = 64 * 1024;
/// Entries of a memory map beyond this number are passed over. UEFI's maps have some
/// hundred.
const MOST_ENTRIES: usize = 1024;
/// Bytes of a memory map's entry: address, size, kind, and what is reserved.
const ENTRY_SIZE: usize = 24;
/// The kind of ordinary memory.
const RAM: u32 = 1;

/// What a boot protocol handed over.
pub struct Handover<'m> {
    /// The command line, without the zero byte at its end.
    pub command_line: &'m [u8],
    memory_map: MemoryMap<'m>,
}

impl<'m> Handover<'m> {
    /// Reads what the image was entered with: `magic` in `eax`, and the physical `address`
    /// of a structure in `ebx`. `None` if the structure is of no known protocol, or has no
    /// memory map.
    pub fn read(magic: u32, address: u32, memory: Memory<'_, 'm>) -> Option<Self> {
        if magic == multiboot::MAGIC {
            multiboot::read(address.into(), memory)
        } else {
            pvh::read(address.into(), memory)
        }
    }

    /// The regions that are ordinary memory. They may overlap if the map is wrong.
    pub fn ram(&self) -> impl Iterator<Item = Region> + use<'m> {
        let MemoryMap {
            entries,
            entry_size,
        } = self.memory_map;
        entries
            .chunks_exact(entry_size)
            .take(MOST_ENTRIES)
            .filter_map(ram_of)
    }
}

/// The table of a memory map. Its entries begin alike in both protocols.
#[derive(Clone, Copy)]
struct MemoryMap<'m> {
    entries: &'m [u8],
    /// The distance of the entries, [`ENTRY_SIZE`] at least.
    entry_size: usize,
}

/// The region of a memory map's entry, if it is ordinary memory.
fn ram_of(entry: &[u8]) -> Option<Region> {
    let (start, size) = (u64_at(entry, 0)?, u64_at(entry, 8)?);
    (u32_at(entry, 16)? == RAM).then_some(Region {
        start,
        end: start.saturating_add(size),
    })
}

/// Where the address of ACPI's root pointer is, if the protocol tells that. Multiboot has copies
/// instead, in memory that is given away.
pub fn root_pointer(magic: u32, address: u32) -> Option<u32> {
    (magic != multiboot::MAGIC).then_some(address.wrapping_add(pvh::ROOT_POINTER))
}

/// A text up to the zero byte at its end, or what there is of it.
fn until_zero(text: &[u8]) -> &[u8] {
    let length = text
        .iter()
        .take(LONGEST_COMMAND_LINE)
        .take_while(|byte| **byte != 0);
    &text[..length.count()]
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let word = bytes.get(offset..)?.first_chunk()?;
    Some(u32::from_le_bytes(*word))
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    let word = bytes.get(offset..)?.first_chunk()?;
    Some(u64::from_le_bytes(*word))
}
