//! Interrupts: a handler counts and records; the idle loop wakes.
//!
//! The local APIC delivers timer and device interrupts as vectors from [`FIRST`] on. The
//! handler is a few instructions: it sets the vector's bit in [`PENDING`], counts, and
//! tells the APIC. [`dispatch`], called outside of any handler, signals the events.

#[path = "pending.rs"]
mod pending;

use super::vectors;
use core::arch::global_asm;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use fata_task::Event;

/// The first vector after the exceptions.
const FIRST: usize = 32;
/// How many vectors are handled: one for each bit of [`PENDING`].
const COUNT: usize = 64;

/// The vector of the APIC's timer. It only ends a halt, so it has no event.
pub(super) const TIMER: u8 = FIRST as u8;
/// The vector of spurious interrupts, among those that are only ended.
pub(super) const SPURIOUS: u8 = 255;

/// A bit for each vector that was raised since the last [`dispatch`].
#[unsafe(no_mangle)]
static PENDING: AtomicU64 = AtomicU64::new(0);

/// How often each vector was raised.
#[unsafe(no_mangle)]
static COUNTS: [AtomicU64; COUNT] = [const { AtomicU64::new(0) }; COUNT];

static EVENTS: [Event; COUNT] = [const { Event::new() }; COUNT];

/// The first vector that no device has yet, counted from [`FIRST`].
static NEXT: AtomicU8 = AtomicU8::new(1);

/// A device's interrupt: the vector to raise, and the event that it signals.
#[derive(Clone, Copy)]
pub(crate) struct Interrupt {
    /// The vector that the device, or the I/O APIC for it, sends to the local APIC.
    pub(crate) vector: u8,
    /// Signalled after the interrupt was raised.
    pub(crate) event: &'static Event,
}

/// A vector that no other device has, or `None` when all 63 are taken.
pub(crate) fn allocate() -> Option<Interrupt> {
    let index = vectors::next(&NEXT, COUNT)?;
    Some(Interrupt {
        vector: (FIRST + index) as u8,
        event: &EVENTS[index],
    })
}

/// Returns whether an interrupt waits for [`dispatch`].
pub(super) fn is_pending() -> bool {
    pending::is_any(&PENDING)
}

/// Signals the events of all interrupts since the last call.
pub(super) fn dispatch() {
    pending::take(&PENDING, |index| EVENTS[index].signal());
}

/// How often a vector from [`FIRST`] on was raised.
pub(super) fn count(vector: u8) -> u64 {
    COUNTS[usize::from(vector) - FIRST].load(Ordering::Relaxed)
}

/// The address of a vector's stub. Vectors that nothing should raise, the spurious one
/// among them, are ended and otherwise ignored.
pub(super) fn stub(vector: usize) -> u64 {
    match vector.checked_sub(FIRST) {
        Some(index) if index < COUNT => {
            interrupt_stubs as *const () as u64 + (index * STUB_SIZE) as u64
        }
        _ => ignore_interrupt as *const () as u64,
    }
}

const STUB_SIZE: usize = 8;

unsafe extern "C" {
    fn interrupt_stubs();
    fn ignore_interrupt();
}

// The common part sets the bit, counts, and writes the APIC's end-of-interrupt register.
//
// An ignored interrupt has to be ended, too: until then the APIC holds back all vectors of
// its priority and less. A truly spurious one is none to the APIC; as handlers do not
// nest, there is nothing that its end could end.
global_asm!(
    r#"
    .section .text
    .balign 16
interrupt_stubs:
    .set number, 0
    .rept {count}
    .balign {stub_size}
    push number
    jmp raise_interrupt
    .set number, number + 1
    .endr

raise_interrupt:
    push rax
    push rcx
    mov rcx, [rsp + 16]
    lock bts qword ptr [rip + PENDING], rcx
    lea rax, [rip + COUNTS]
    inc qword ptr [rax + rcx * 8]
2:  mov eax, 0xfee000b0
    mov dword ptr [rax], 0
    pop rcx
    pop rax
    add rsp, 8
    iretq

ignore_interrupt:
    push 0
    push rax
    push rcx
    jmp 2b
    "#,
    count = const COUNT,
    stub_size = const STUB_SIZE,
);
