//! The data that the firmware, or the monitor in its place, has left in memory.

use super::acpi::Tables;
use core::slice;
use core::sync::atomic::{AtomicU32, Ordering};

/// The addresses that the entry code has mapped, without page zero.
const START: u64 = 4096;
const END: u64 = 1 << 32;

/// The address of ACPI's root pointer; zero where it is not known.
static ROOT_POINTER: AtomicU32 = AtomicU32::new(0);

/// Bytes in memory below 4 GiB, but for page zero.
pub(super) fn memory(address: u64, length: usize) -> Option<&'static [u8]> {
    let end = address.checked_add(length as u64)?;
    if address == 0 || end > END {
        return None;
    }
    // SAFETY: the entry code has mapped these addresses. All that a boot protocol hands over is
    // read before memory is given away, but for the command line, which is not given away;
    // the firmware's tables lie outside of what its map calls free.
    Some(unsafe { slice::from_raw_parts(address as *const u8, length) })
}

/// Notes where ACPI's root pointer is, which `place` says, if the boot protocol does.
pub(super) fn take_in(place: Option<u32>) {
    if let Some(place) = place {
        ROOT_POINTER.store(word(place) as u32, Ordering::Relaxed);
    }
}

/// The tables of ACPI. There are none where the boot protocol has told of none.
pub(super) fn tables() -> Tables<impl Fn(u32) -> u64 + Copy> {
    Tables::new(ROOT_POINTER.load(Ordering::Relaxed), word)
}

/// The eight bytes at an address.
#[inline(never)]
fn word(address: u32) -> u64 {
    if !(START as u32..0xffff_fff8).contains(&address) {
        return 0;
    }
    // SAFETY: as in `memory`.
    unsafe { (address as usize as *const u64).read_unaligned() }
}
