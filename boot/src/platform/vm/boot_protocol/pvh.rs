//! PVH: `hvm_start_info`, version 1.
//!
//! Source: Xen's `public/arch-x86/hvm/start_info.h`.

use super::handover::{
    ENTRY_SIZE, Handover, LONGEST_COMMAND_LINE, MOST_ENTRIES, Memory, MemoryMap, u32_at, u64_at,
    until_zero,
};

const MAGIC: u32 = 0x336e_c578;
const SIZE: usize = 56;
/// Where in the structure is what.
const VERSION: usize = 4;
const COMMAND_LINE: usize = 24;
pub(super) const ROOT_POINTER: u32 = 32;
const MEMORY_MAP: usize = 40;
const MEMORY_MAP_ENTRIES: usize = 48;

pub(super) fn read<'m>(address: u64, memory: Memory<'_, 'm>) -> Option<Handover<'m>> {
    let info = memory(address, SIZE)?;
    // Version 0 has no memory map.
    if u32_at(info, 0)? != MAGIC || u32_at(info, VERSION)? == 0 {
        return None;
    }
    let count = (u32_at(info, MEMORY_MAP_ENTRIES)? as usize).min(MOST_ENTRIES);
    Some(Handover {
        command_line: text(u64_at(info, COMMAND_LINE)?, memory),
        memory_map: MemoryMap {
            entries: memory(u64_at(info, MEMORY_MAP)?, count * ENTRY_SIZE)?,
            entry_size: ENTRY_SIZE,
        },
    })
}

/// The text at an address. How long it is shows only its zero byte.
fn text<'m>(address: u64, memory: Memory<'_, 'm>) -> &'m [u8] {
    let is_text = |length: &usize| {
        let last = address.checked_add(*length as u64);
        let byte = last.and_then(|last| memory(last, 1));
        byte.is_some_and(|byte| byte != [0])
    };
    let length = (0..LONGEST_COMMAND_LINE).take_while(is_text).count();
    memory(address, length).map_or(&[], until_zero)
}
