//! The handover of a boot protocol: command line and memory map.
//!
//! Nothing here reads memory by itself. So it runs in a process too, where it is tested and
//! fuzzed: whatever lies in memory, there is no panic, and the work is bounded.

mod handover;
mod multiboot;
mod pvh;
mod region;
#[cfg(test)]
mod tests;

pub use handover::{Handover, Memory};
pub use region::{Largest, Region};

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
}

/// Where the address of ACPI's root pointer is, if the protocol tells that. Multiboot has copies
/// instead, in memory that is given away.
pub fn root_pointer(magic: u32, address: u32) -> Option<u32> {
    (magic != multiboot::MAGIC).then_some(address.wrapping_add(pvh::ROOT_POINTER))
}
