//! The form of what is handed over, alike in both protocols.

use super::region::Region;

/// Gives the bytes of physical memory at an address, as many as asked for, or `None` if
/// they cannot all be read.
pub type Memory<'a, 'm> = &'a dyn Fn(u64, usize) -> Option<&'m [u8]>;

/// A command line longer than this is cut off. QEMU's and Firecracker's are shorter.
pub(super) const LONGEST_COMMAND_LINE: usize = 64 * 1024;
/// Entries of a memory map beyond this number are passed over. UEFI's maps have some
/// hundred.
pub(super) const MOST_ENTRIES: usize = 1024;
/// Bytes of a memory map's entry: address, size, kind, and what is reserved.
pub(super) const ENTRY_SIZE: usize = 24;
/// The kind of ordinary memory.
const RAM: u32 = 1;

/// Data that a boot protocol handed over.
pub struct Handover<'m> {
    /// The command line, without the zero byte at its end.
    pub command_line: &'m [u8],
    pub(super) memory_map: MemoryMap<'m>,
}

impl<'m> Handover<'m> {
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
pub(super) struct MemoryMap<'m> {
    pub(super) entries: &'m [u8],
    /// The distance of the entries, [`ENTRY_SIZE`] at least.
    pub(super) entry_size: usize,
}

/// The region of a memory map's entry, if it is ordinary memory.
fn ram_of(entry: &[u8]) -> Option<Region> {
    let (start, size) = (u64_at(entry, 0)?, u64_at(entry, 8)?);
    (u32_at(entry, 16)? == RAM).then_some(Region {
        start,
        end: start.saturating_add(size),
    })
}

/// A text up to the zero byte at its end, or what there is of it.
pub(super) fn until_zero(text: &[u8]) -> &[u8] {
    let length = text
        .iter()
        .take(LONGEST_COMMAND_LINE)
        .take_while(|byte| **byte != 0);
    &text[..length.count()]
}

pub(super) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let word = bytes.get(offset..)?.first_chunk()?;
    Some(u32::from_le_bytes(*word))
}

pub(super) fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    let word = bytes.get(offset..)?.first_chunk()?;
    Some(u64::from_le_bytes(*word))
}
