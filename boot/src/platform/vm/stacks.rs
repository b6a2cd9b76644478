//! Stacks and the pages under them that are not mapped.

use core::mem::offset_of;

unsafe extern "C" {
    static __stack_guard: u8;
}

/// The address of the page under the program's stack that is not mapped.
pub(super) fn program_guard() -> u64 {
    &raw const __stack_guard as u64
}

/// A stack for handlers, above a page that is unmapped at boot.
#[repr(C, align(4096))]
struct Stack<const SIZE: usize> {
    guard: [u8; 4096],
    stack: [u8; SIZE],
}

impl<const SIZE: usize> Stack<SIZE> {
    const EMPTY: Self = Self {
        guard: [0; 4096],
        stack: [0; SIZE],
    };
}

/// Exceptions format a report; interrupts push two registers.
#[repr(C)]
struct Stacks {
    exception: Stack<16384>,
    double_fault: Stack<16384>,
    nmi: Stack<16384>,
    interrupt: Stack<4096>,
}

// In one piece: the page tables have room for the borders of two large pages with stacks.
#[unsafe(link_section = ".bss.unset")]
static mut STACKS: Stacks = Stacks {
    exception: Stack::EMPTY,
    double_fault: Stack::EMPTY,
    nmi: Stack::EMPTY,
    interrupt: Stack::EMPTY,
};
/// Bytes of them all.
pub(super) const SIZE: usize = size_of::<Stacks>();

/// The pages under the handlers' stacks.
pub(super) fn guards() -> [u64; 4] {
    let stacks = &raw const STACKS as u64;
    [
        stacks + offset_of!(Stacks, exception) as u64,
        stacks + offset_of!(Stacks, double_fault) as u64,
        stacks + offset_of!(Stacks, nmi) as u64,
        stacks + offset_of!(Stacks, interrupt) as u64,
    ]
}

/// Where the last of them ends.
pub(super) fn end() -> u64 {
    (&raw const STACKS).wrapping_add(1) as u64
}
