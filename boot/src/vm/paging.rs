//! Page tables: memory is mapped one to one.
//!
//! The entry code maps the first 4 GiB in pages of 2 MiB. This adds what lies above, and
//! takes away page zero and the guard page under the stack (Intel SDM volume 3, 4.5).

use super::memory::Region;
use core::arch::x86_64::__cpuid;
use x86_64::VirtAddr;
use x86_64::instructions::tlb;

const PAGE: u64 = 4096;
const LARGE_PAGE: u64 = 2 << 20;
const HUGE_PAGE: u64 = 1 << 30;
const MAPPED_AT_ENTRY: u64 = 4 << 30;
/// What one table of page directory pointers can map.
const MAPPED_AT_MOST: u64 = 512 << 30;

const PRESENT: u64 = 1;
const WRITABLE: u64 = 2;
const LARGE: u64 = 0x80;

/// One page table of any level.
#[repr(C, align(4096))]
pub(super) struct Table([u64; 512]);

impl Table {
    const EMPTY: Self = Self([0; 512]);
}

pub(super) static mut ROOT: Table = Table::EMPTY;
pub(super) static mut POINTERS: Table = Table::EMPTY;
pub(super) static mut DIRECTORIES: [Table; 4] = [Table::EMPTY; 4];
/// The small pages around address zero and around the stack's guard page.
static mut SMALL: [Table; 2] = [Table::EMPTY; 2];

unsafe extern "C" {
    static __stack_guard: u8;
}

/// The address of the page under the stack that is not mapped.
pub(super) fn stack_guard() -> u64 {
    &raw const __stack_guard as u64
}

/// Whether an address lies in the page under the stack.
pub(super) fn is_stack_guard(address: u64) -> bool {
    (stack_guard()..stack_guard() + PAGE).contains(&address)
}

/// Unmaps page zero and the stack's guard page.
///
/// # Safety
/// Call once, at boot, before anything else uses the page tables.
pub(super) unsafe fn protect() {
    // SAFETY: the caller promises that nothing else uses the tables. Both pages are in
    // the first 4 GiB, and nothing valid lies in either.
    unsafe {
        unmap(0, 0);
        let same = stack_guard() / LARGE_PAGE == 0;
        unmap(stack_guard(), usize::from(!same));
    }
}

/// Unmaps one small page, through table `spare` of [`SMALL`].
///
/// # Safety
/// As [`protect`]; nothing may use the page any more.
unsafe fn unmap(address: u64, spare: usize) {
    let index = (address / LARGE_PAGE) as usize;
    // SAFETY: the caller has the tables for itself; `index` is below 4 × 512, and the
    // table that replaces a large page maps the same addresses.
    unsafe {
        let directory = &raw mut DIRECTORIES[index / 512].0[index % 512];
        let table = &raw mut SMALL[spare];
        if *directory & LARGE != 0 {
            let base = *directory & !(LARGE_PAGE - 1);
            for (number, entry) in (*table).0.iter_mut().enumerate() {
                *entry = (base + number as u64 * PAGE) | PRESENT | WRITABLE;
            }
            *directory = table as u64 | PRESENT | WRITABLE;
        }
        (*table).0[(address % LARGE_PAGE / PAGE) as usize] = 0;
    }
    tlb::flush(VirtAddr::new(address));
}

/// Maps the part of `region` that lies above 4 GiB. Where the processor has no pages of
/// 1 GiB, this takes a page from the end of `spare` for each GiB.
///
/// # Safety
/// Call at boot, once a region; `spare` is free memory below 4 GiB.
pub(super) unsafe fn map(region: Region, spare: &mut Region) {
    let huge_pages = has_huge_pages();
    let mut address = region.start.max(MAPPED_AT_ENTRY) & !(HUGE_PAGE - 1);
    while address < region.end.min(MAPPED_AT_MOST) {
        let pointers = &raw mut POINTERS;
        // SAFETY: the caller has the tables for itself, and the index is below 512.
        let pointer = unsafe { &mut (*pointers).0[(address / HUGE_PAGE) as usize] };
        if *pointer == 0 {
            *pointer = if huge_pages {
                address | PRESENT | WRITABLE | LARGE
            } else {
                // SAFETY: as the caller promises.
                unsafe { directory(address, spare) | PRESENT | WRITABLE }
            };
        }
        address += HUGE_PAGE;
    }
}

/// Makes a page directory for the GiB at `address`, in a page of `spare`.
///
/// # Safety
/// `spare` is free and mapped.
unsafe fn directory(address: u64, spare: &mut Region) -> u64 {
    spare.end = (spare.end & !(PAGE - 1)) - PAGE;
    let table = spare.end as *mut Table;
    // SAFETY: the page was just taken out of free, mapped memory.
    let entries = unsafe { &mut (*table).0 };
    for (number, entry) in entries.iter_mut().enumerate() {
        *entry = (address + number as u64 * LARGE_PAGE) | PRESENT | WRITABLE | LARGE;
    }
    table as u64
}

/// Memory above this address cannot be mapped, and is not used.
pub(super) const END: u64 = MAPPED_AT_MOST;

fn has_huge_pages() -> bool {
    // CPUID 0x80000001, EDX bit 26: pages of 1 GiB.
    __cpuid(0x8000_0000).eax >= 0x8000_0001 && __cpuid(0x8000_0001).edx & (1 << 26) != 0
}
