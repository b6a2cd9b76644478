//! What the PVH boot protocol tells: command line and memory map.
//!
//! Source: Xen's `public/arch-x86/hvm/start_info.h`.

use super::memory::Region;
use core::slice;

const MAGIC: u32 = 0x336e_c578;
const RAM: u32 = 1;
/// A command line longer than this is cut off. QEMU's and Firecracker's are shorter.
const LONGEST_COMMAND_LINE: usize = 64 * 1024;

/// `hvm_start_info`, version 1.
#[repr(C)]
pub(super) struct StartInfo {
    magic: u32,
    version: u32,
    flags: u32,
    modules: u32,
    module_list: u64,
    command_line: u64,
    rsdp: u64,
    memory_map: u64,
    memory_map_entries: u32,
    reserved: u32,
}

/// `hvm_memmap_table_entry`.
#[repr(C)]
struct MemoryMapEntry {
    address: u64,
    size: u64,
    kind: u32,
    reserved: u32,
}

impl StartInfo {
    /// The information at a physical address, if it is of this protocol and has a memory
    /// map.
    ///
    /// # Safety
    /// `address` is what the entry point got in `ebx`, and the memory is as the boot
    /// protocol left it.
    pub(super) unsafe fn at(address: u32) -> Option<&'static Self> {
        // SAFETY: the boot protocol puts the structure there.
        let info = unsafe { (address as usize as *const Self).as_ref() }?;
        (info.magic == MAGIC && info.version >= 1 && info.memory_map != 0).then_some(info)
    }

    /// The command line, without the zero byte at its end.
    pub(super) fn command_line(&self) -> &'static [u8] {
        if self.command_line == 0 {
            return &[];
        }
        let start = self.command_line as *const u8;
        // SAFETY: the boot protocol puts a text that ends with a zero byte there.
        let length = (0..LONGEST_COMMAND_LINE).find(|&index| unsafe { *start.add(index) } == 0);
        // SAFETY: the bytes were just read.
        unsafe { slice::from_raw_parts(start, length.unwrap_or(LONGEST_COMMAND_LINE)) }
    }

    /// The regions that are ordinary memory.
    pub(super) fn ram(&self) -> impl Iterator<Item = Region> {
        // SAFETY: the boot protocol puts a table of that many entries there.
        let entries = unsafe {
            slice::from_raw_parts(
                self.memory_map as *const MemoryMapEntry,
                self.memory_map_entries as usize,
            )
        };
        entries
            .iter()
            .filter(|entry| entry.kind == RAM)
            .map(|entry| Region {
                start: entry.address,
                end: entry.address.saturating_add(entry.size),
            })
    }
}
