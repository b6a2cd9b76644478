//! Multiboot 2: a list of tags.
//!
//! Source: the Multiboot2 Specification 2.0, section 3.6.

use super::handover::{ENTRY_SIZE, Handover, Memory, MemoryMap, u32_at, until_zero};

/// The number that the boot loader leaves in `eax`.
pub(super) const MAGIC: u32 = 0x36d7_6289;
/// A list that claims to be longer is none. Its longest tag is UEFI's memory map.
const LONGEST: usize = 1 << 20;
/// Size and a reserved word before the first tag; kind and size at the start of each.
const HEADER: usize = 8;
/// Tags begin at multiples of this.
const ALIGNMENT: usize = 8;

/// The kinds of tags.
const END: u32 = 0;
const COMMAND_LINE: u32 = 1;
const MEMORY_MAP: u32 = 6;

pub(super) fn read<'m>(address: u64, memory: Memory<'_, 'm>) -> Option<Handover<'m>> {
    let size = u32_at(memory(address, HEADER)?, 0)? as usize;
    let mut rest = memory(address, size.min(LONGEST))?.get(HEADER..)?;
    let (mut command_line, mut memory_map) = (&[][..], None);
    while let Some((kind, content, behind)) = first_tag(rest) {
        match kind {
            END => break,
            COMMAND_LINE => command_line = until_zero(content),
            MEMORY_MAP => memory_map = entries(content),
            _ => {}
        }
        rest = behind;
    }
    Some(Handover {
        command_line,
        memory_map: memory_map?,
    })
}

/// The kind and the content of the first tag, and what follows it.
fn first_tag(tags: &[u8]) -> Option<(u32, &[u8], &[u8])> {
    let (kind, size) = (u32_at(tags, 0)?, u32_at(tags, 4)? as usize);
    let content = tags.get(HEADER..size)?;
    let behind = tags.get(size.next_multiple_of(ALIGNMENT)..);
    Some((kind, content, behind.unwrap_or_default()))
}

/// The content of a memory map's tag: size of an entry, version, entries.
fn entries(content: &[u8]) -> Option<MemoryMap<'_>> {
    let entry_size = u32_at(content, 0)? as usize;
    let entries = content.get(8..)?;
    (entry_size >= ENTRY_SIZE).then_some(MemoryMap {
        entries,
        entry_size,
    })
}
