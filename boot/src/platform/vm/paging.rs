//! Page tables: memory is mapped one to one.
//!
//! The entry code maps the first 4 GiB in pages of 2 MiB. This adds memory and devices above, makes
//! code and constants read-only and all but code not executable, and takes away page zero
//! and the guard page under the stack (Intel SDM volume 3, 4.5 and 4.6).

use super::boot_protocol::Region;
use super::stacks;
use alloc::alloc::alloc_zeroed;
use core::alloc::Layout;
use core::arch::x86_64::{__cpuid, __cpuid_count};
use x86_64::instructions::tlb;
use x86_64::registers::control::{Cr4, Cr4Flags};
use x86_64::registers::model_specific::{Efer, EferFlags};

const PAGE: u64 = 4096;
const LARGE_PAGE: u64 = 2 << 20;
const HUGE_PAGE: u64 = 1 << 30;
const MAPPED_AT_ENTRY: u64 = 4 << 30;
/// The bytes that one table of page directory pointers can map.
const MAPPED_AT_MOST: u64 = 512 << 30;
/// Addresses from here on are not valid, or those of the upper half.
const LOWER_HALF: u64 = 1 << 47;

const PRESENT: u64 = 1;
const WRITABLE: u64 = 2;
/// Written through, and not cached.
const UNCACHED: u64 = 0x18;
const LARGE: u64 = 0x80;
const NO_EXECUTE: u64 = 1 << 63;

/// One page table of any level.
#[repr(C, align(4096))]
pub(super) struct Table([u64; 512]);

impl Table {
    const EMPTY: Self = Self([0; 512]);
}

pub(super) static mut ROOT: Table = Table::EMPTY;
pub(super) static mut POINTERS: Table = Table::EMPTY;
/// The entry code fills them.
#[unsafe(link_section = ".bss.unset")]
pub(super) static mut DIRECTORIES: [Table; 4] = [Table::EMPTY; 4];
/// The small pages around the borders of what [`protect`] protects: one table for page zero and
/// the start of code, which is at 1 MiB, one each for the ends of code and constants and the page
/// under the main stack, and two for those under the handlers' stacks, which are in one piece.
/// [`Tables::small`] fills each when it takes it.
#[unsafe(link_section = ".bss.unset")]
static mut SMALL: [Table; 6] = [Table::EMPTY; 6];
const _: () = assert!(stacks::SIZE as u64 <= LARGE_PAGE);

unsafe extern "C" {
    static __image_start: u8;
    static __code_end: u8;
    static __constants_end: u8;
}

/// Protects the image: code can be read and executed, constants read, everything else
/// read and written; page zero and the pages under the stacks are not there.
///
/// # Safety
/// Call once, at boot, before anything else uses the page tables.
pub(super) unsafe fn protect() {
    let no_execute = enable_no_execute();
    let code = &raw const __image_start as u64;
    let constants = &raw const __code_end as u64;
    let data = &raw const __constants_end as u64;
    let mut tables = Tables { split: 0 };
    // SAFETY: the caller promises that nothing else uses the tables. Nothing writes to
    // code or constants, executes anything else, or uses the two pages.
    unsafe {
        tables.forbid_execution(no_execute);
        tables.set(code, constants, PRESENT);
        tables.set(constants, data, PRESENT | no_execute);
        tables.set(0, PAGE, 0);
        for guard in stacks::guards()
            .into_iter()
            .chain([stacks::program_guard()])
        {
            tables.set(guard, guard + PAGE, 0);
        }
    }
    enable_supervisor_protection();
    tlb::flush_all();
}

/// Lets the processor heed [`NO_EXECUTE`]. Returns that bit, or none where the processor
/// does not know it.
fn enable_no_execute() -> u64 {
    // CPUID 0x80000001, EDX bit 20: execute-disable.
    if extended_features() & (1 << 20) == 0 {
        return 0;
    }
    // SAFETY: the processor knows the flag, and no page has the bit yet.
    unsafe { Efer::update(|flags| flags.insert(EferFlags::NO_EXECUTE_ENABLE)) };
    NO_EXECUTE
}

/// Lets the processor refuse what a program without users never does: to execute (SMEP)
/// or to use (SMAP) a user's page, and to tell users where its tables are (UMIP).
fn enable_supervisor_protection() {
    if __cpuid(0).eax < 7 {
        return;
    }
    let features = __cpuid_count(7, 0);
    let known = [
        (
            features.ebx & 1 << 7,
            Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION,
        ),
        (
            features.ebx & 1 << 20,
            Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION,
        ),
        (
            features.ecx & 1 << 2,
            Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION,
        ),
    ];
    for (is_known, flag) in known {
        if is_known != 0 {
            // SAFETY: the processor knows the flag, and no page belongs to a user.
            unsafe { Cr4::update(|flags| flags.insert(flag)) };
        }
    }
}

/// The tables of the first 4 GiB, while the image is being protected.
struct Tables {
    /// How many of [`SMALL`] are in use.
    split: usize,
}

impl Tables {
    /// Sets a bit, or none, for all of the first 4 GiB.
    ///
    /// # Safety
    /// As [`protect`].
    unsafe fn forbid_execution(&mut self, no_execute: u64) {
        let (directories, pointers) = (&raw mut DIRECTORIES, &raw mut POINTERS);
        // SAFETY: the caller has the tables for itself. The first GiB holds the image, so
        // its pages are told one by one.
        unsafe {
            for entry in &mut (*directories)[0].0 {
                *entry |= no_execute;
            }
            let pointers = &mut (*pointers).0;
            for entry in &mut pointers[1..4] {
                *entry |= no_execute;
            }
        }
    }

    /// Gives the pages from `start` to `end`, which lie in the first GiB, these flags.
    ///
    /// # Safety
    /// As [`protect`]; nothing may use the pages in another way.
    unsafe fn set(&mut self, start: u64, end: u64, flags: u64) {
        let directories = &raw mut DIRECTORIES;
        let mut address = start;
        while address < end {
            // SAFETY: the caller has the tables for itself, and the image ends below 1 GiB.
            let entry = unsafe { &mut (*directories)[0].0[(address / LARGE_PAGE) as usize] };
            let next = (address / LARGE_PAGE + 1) * LARGE_PAGE;
            if *entry & LARGE != 0 && address.is_multiple_of(LARGE_PAGE) && next <= end {
                *entry = address | flags | LARGE;
            } else {
                // SAFETY: as above.
                let table = unsafe { self.small(entry) };
                for page in (address..next.min(end)).step_by(PAGE as usize) {
                    table.0[(page % LARGE_PAGE / PAGE) as usize] = page | flags;
                }
            }
            address = next;
        }
    }

    /// The small pages of a directory's entry, made of its large one if that is what it is.
    ///
    /// # Safety
    /// As [`protect`].
    unsafe fn small<'a>(&mut self, entry: &mut u64) -> &'a mut Table {
        const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
        if *entry & LARGE == 0 {
            // SAFETY: a table that this made of a large page.
            return unsafe { &mut *((*entry & ADDRESS) as *mut Table) };
        }
        let tables = &raw mut SMALL;
        // SAFETY: the caller has the tables for itself; there is one for each border.
        let table = unsafe { &mut (*tables)[self.split] };
        self.split += 1;
        let (base, flags) = (*entry & ADDRESS, *entry & !ADDRESS & !LARGE);
        for (number, page) in table.0.iter_mut().enumerate() {
            *page = (base + number as u64 * PAGE) | flags;
        }
        *entry = core::ptr::from_mut(table) as u64 | PRESENT | WRITABLE;
        table
    }
}

/// Maps the part of `region` that lies above 4 GiB. Where the processor has no pages of
/// 1 GiB, this takes a page from the end of `spare` for each GiB.
///
/// # Safety
/// Call at boot, once a region; `spare` is free memory below 4 GiB.
pub(super) unsafe fn map(region: Region, spare: &mut Region) {
    let huge_pages = has_huge_pages();
    let no_execute = enable_no_execute();
    let mut address = region.start.max(MAPPED_AT_ENTRY) & !(HUGE_PAGE - 1);
    while address < region.end.min(MAPPED_AT_MOST) {
        let pointers = &raw mut POINTERS;
        // SAFETY: the caller has the tables for itself, and the index is below 512.
        let pointer = unsafe { &mut (*pointers).0[(address / HUGE_PAGE) as usize] };
        if *pointer == 0 {
            let memory = if huge_pages {
                address | LARGE
            } else {
                spare.end = (spare.end & !(PAGE - 1)) - PAGE;
                // SAFETY: the page was just taken out of free, mapped memory.
                unsafe { directory(spare.end as *mut Table, address, 0) }
            };
            *pointer = memory | PRESENT | WRITABLE | no_execute;
        }
        address += HUGE_PAGE;
    }
}

/// Fills a page directory for the GiB at `address`, its pages with `flags`.
///
/// # Safety
/// `table` is for nothing else.
unsafe fn directory(table: *mut Table, address: u64, flags: u64) -> u64 {
    // SAFETY: as the caller promises.
    let entries = unsafe { &mut (*table).0 };
    for (number, entry) in entries.iter_mut().enumerate() {
        *entry = (address + number as u64 * LARGE_PAGE) | flags | PRESENT | WRITABLE | LARGE;
    }
    table as u64
}

/// Maps a device's memory: what of it the entry code has not mapped, uncached. Firmware
/// for UEFI places registers above 4 GiB. Returns whether that was possible: there is
/// memory for the tables, and the processor has such addresses.
///
/// Call it from tasks only, when there is a heap.
pub(super) fn map_device(address: u64, length: u64) -> bool {
    let end = address.saturating_add(length);
    if end <= MAPPED_AT_ENTRY {
        return true;
    }
    let first = address.max(MAPPED_AT_ENTRY) & !(HUGE_PAGE - 1);
    end <= LOWER_HALF && (first..end).step_by(HUGE_PAGE as usize).all(map_device_at)
}

/// Maps the GiB at `address` for a device, if nothing is mapped there.
fn map_device_at(address: u64) -> bool {
    let root = &raw mut ROOT;
    // SAFETY: tasks run one at a time and no interrupt handler uses the tables, so this is
    // all that refers to them; both indices are below 512, and what an entry of the root
    // points to is a table, mapped one to one.
    let pointer = unsafe {
        let entry = &mut (*root).0[(address / MAPPED_AT_MOST) as usize];
        if *entry == 0 {
            let Some(table) = new_table() else {
                return false;
            };
            *entry = table as u64 | PRESENT | WRITABLE;
        }
        let pointers = (*entry & !(PAGE - 1)) as *mut Table;
        &mut (*pointers).0[(address % MAPPED_AT_MOST / HUGE_PAGE) as usize]
    };
    if *pointer != 0 {
        return true;
    }
    let memory = if has_huge_pages() {
        address | LARGE | UNCACHED
    } else {
        let Some(table) = new_table() else {
            return false;
        };
        // SAFETY: the table is new.
        unsafe { directory(table, address, UNCACHED) }
    };
    *pointer = memory | PRESENT | WRITABLE | enable_no_execute();
    true
}

/// An empty table from the heap, for ever.
fn new_table() -> Option<*mut Table> {
    // SAFETY: a table has a size.
    let table = unsafe { alloc_zeroed(Layout::new::<Table>()) };
    (!table.is_null()).then_some(table.cast())
}

/// Returns whether there are pages of 1 GiB: CPUID 0x80000001, EDX bit 26.
fn has_huge_pages() -> bool {
    extended_features() & (1 << 26) != 0
}

/// Memory above this address cannot be mapped, and is not used.
pub(super) const END: u64 = MAPPED_AT_MOST;

/// EDX of CPUID 0x80000001.
fn extended_features() -> u32 {
    const LEAF: u32 = 0x8000_0001;
    if __cpuid(0x8000_0000).eax < LEAF {
        return 0;
    }
    __cpuid(LEAF).edx
}
