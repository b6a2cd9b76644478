//! The data that a boot protocol left in memory, read as `boot/src/platform/vm` reads it.

#[path = "../../../boot/src/platform/vm/boot_protocol/mod.rs"]
mod handed_over;

use handed_over::{Handover, Largest, Region};

/// Where the memory lies that the input is.
const BASE: u32 = 0x1000;
/// Stands for the image.
const IMAGE: Region = Region {
    start: 0x10_0000,
    end: 0x18_0000,
};

/// Reads a structure at the start of `memory`.
pub fn take_in(magic: u32, memory: &[u8]) {
    let read = |address: u64, length: usize| {
        let start = usize::try_from(address.checked_sub(BASE.into())?).ok()?;
        memory.get(start..start.checked_add(length)?)
    };
    let Some(handover) = Handover::read(magic, BASE, &read) else {
        return;
    };
    assert!(handover.command_line.len() <= memory.len());
    assert!(!handover.command_line.contains(&0));
    let mut largest = Largest::NONE;
    for region in handover.ram() {
        for part in region.without(IMAGE) {
            assert!(part.size() <= region.size());
            largest.add(part);
        }
    }
    let kept = largest.0;
    assert!(kept.is_sorted_by_key(|region| std::cmp::Reverse(region.size())));
    for region in kept.into_iter().filter(|region| region.size() > 0) {
        assert!(region.end <= IMAGE.start || region.start >= IMAGE.end);
    }
}
