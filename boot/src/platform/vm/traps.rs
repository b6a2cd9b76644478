//! Exceptions: each ends in a report and a failure status (Intel SDM volume 3, 6).
//!
//! Every gate switches to a stack of its own through the interrupt stack table. The
//! precompiled `core` uses the red zone below the stack pointer, which a handler on the
//! same stack would overwrite; and a stack overflow needs another stack to be told on.

use super::console::Output;
use super::stacks::{self, guards};
use super::{backtrace, exit, interrupts};
use crate::ExitStatus;
use core::arch::{global_asm, naked_asm};
use core::fmt::Write;
use core::sync::atomic::{AtomicBool, Ordering};
use x86_64::instructions::tables::{lgdt, lidt, load_tss};
use x86_64::registers::control::Cr2;
use x86_64::registers::segmentation::{CS, Segment};
use x86_64::structures::DescriptorTablePointer;
use x86_64::structures::gdt::{Descriptor, DescriptorFlags, SegmentSelector};
use x86_64::structures::tss::TaskStateSegment;
use x86_64::{PrivilegeLevel, VirtAddr};

/// Places in the interrupt stack table, from 1 as the gates count them.
const IST_EXCEPTION: u8 = 1;
const IST_DOUBLE_FAULT: u8 = 2;
const IST_NMI: u8 = 3;
const IST_INTERRUPT: u8 = 4;

const EXCEPTIONS: usize = 32;
const NMI: usize = 2;
const DOUBLE_FAULT: usize = 8;
const PAGE_FAULT: u64 = 14;
const MACHINE_CHECK: usize = 18;

static mut TSS: TaskStateSegment = TaskStateSegment::new();
/// Nothing, code, and the two halves of the task state.
static mut GDT: [u64; 4] = [0, DescriptorFlags::KERNEL_CODE64.bits(), 0, 0];
/// [`load_gates`] fills it.
#[unsafe(link_section = ".bss.unset")]
static mut IDT: [Gate; 256] = [Gate::ABSENT; 256];

/// An interrupt gate (Intel SDM volume 3, 6.14.1).
#[derive(Clone, Copy)]
#[repr(C, align(16))]
struct Gate {
    offset_low: u16,
    selector: u16,
    stack: u8,
    kind: u8,
    offset_middle: u16,
    offset_high: u32,
    reserved: u32,
}

impl Gate {
    const ABSENT: Self = Self {
        offset_low: 0,
        selector: 0,
        stack: 0,
        kind: 0,
        offset_middle: 0,
        offset_high: 0,
        reserved: 0,
    };

    const fn new(handler: u64, selector: SegmentSelector, stack: u8) -> Self {
        Self {
            offset_low: handler as u16,
            selector: selector.0,
            stack,
            // Present, ring 0, interrupt gate: interrupts stay off in the handler.
            kind: 0x8e,
            offset_middle: (handler >> 16) as u16,
            offset_high: (handler >> 32) as u32,
            reserved: 0,
        }
    }
}

/// Sets up segments, the task state with its stacks, and all 256 gates.
///
/// # Safety
/// Call once, at boot, with interrupts off.
pub(super) unsafe fn init() {
    let (tss, gdt) = (&raw mut TSS, &raw mut GDT);
    // SAFETY: called once, so nothing else refers to these statics.
    let (tss, gdt) = unsafe { (&mut *tss, &mut *gdt) };
    // Each ends where the next one begins.
    let [_, exception, double_fault, nmi] = guards();
    let interrupt = stacks::end();
    let tops = [exception, double_fault, nmi, interrupt];
    // The structure is packed, so the table is set as a whole.
    let mut stacks = tss.interrupt_stack_table;
    for (slot, top) in stacks.iter_mut().zip(tops) {
        *slot = VirtAddr::new_truncate(top);
    }
    tss.interrupt_stack_table = stacks;
    // SAFETY: the static task state outlives the descriptor.
    if let Descriptor::SystemSegment(low, high) = unsafe { Descriptor::tss_segment_unchecked(tss) }
    {
        [gdt[2], gdt[3]] = [low, high];
    }
    let code = SegmentSelector::new(1, PrivilegeLevel::Ring0);
    // SAFETY: the tables are static; both selectors are of the table that is loaded.
    unsafe {
        lgdt(&table_pointer(gdt));
        CS::set_reg(code);
        load_tss(SegmentSelector::new(2, PrivilegeLevel::Ring0));
        load_gates(code);
    }
}

/// Where a descriptor table is, and its last byte.
fn table_pointer<T, const N: usize>(table: &'static [T; N]) -> DescriptorTablePointer {
    DescriptorTablePointer {
        limit: (size_of::<[T; N]>() - 1) as u16,
        base: VirtAddr::new_truncate(table.as_ptr() as u64),
    }
}

/// Fills and loads the interrupt descriptor table.
///
/// # Safety
/// As [`init`].
unsafe fn load_gates(code: SegmentSelector) {
    let idt = &raw mut IDT;
    // SAFETY: called once, so nothing else refers to the table.
    let idt = unsafe { &mut *idt };
    for (vector, gate) in idt.iter_mut().enumerate() {
        *gate = match vector {
            NMI | MACHINE_CHECK => Gate::new(exception_stub(vector), code, IST_NMI),
            DOUBLE_FAULT => Gate::new(exception_stub(vector), code, IST_DOUBLE_FAULT),
            0..EXCEPTIONS => Gate::new(exception_stub(vector), code, IST_EXCEPTION),
            _ => Gate::new(interrupts::stub(vector), code, IST_INTERRUPT),
        };
    }
    // SAFETY: the table is static, and each gate leads to a stub that saves what it uses.
    unsafe { lidt(&table_pointer(idt)) };
}

/// Two pushes of two bytes and a jump of five.
const STUB_SIZE: usize = 9;

fn exception_stub(vector: usize) -> u64 {
    exception_stubs as *const () as u64 + (vector * STUB_SIZE) as u64
}

unsafe extern "C" {
    fn exception_stubs();
}

// A stub for each exception: a zero where the processor pushes no error code (else
// nothing, in two bytes), the vector, and on to the common part. Vectors 8, 10 to 14, 17, 21, 29 and 30 push an error code.
global_asm!(
    r#"
    .section .text
    .balign 16
exception_stubs:
    .set vector, 0
    .rept 32
    .if (0x60227d00 >> vector) & 1
    xchg ax, ax
    .else
    push 0
    .endif
    push vector
    jmp {entry}
    .set vector, vector + 1
    .endr
    "#,
    entry = sym exception_entry,
);

/// The registers that the stubs and the processor leave on the stack.
#[repr(C)]
struct Frame {
    /// r15 to r8, rbp, rdi, rsi, rdx, rcx, rbx, rax, as they are pushed.
    registers: [u64; 15],
    vector: u64,
    error: u64,
    rip: u64,
    cs: u64,
    rflags: u64,
    rsp: u64,
    ss: u64,
}

/// The names of [`Frame::registers`].
const REGISTERS: [&str; 15] = [
    "r15", "r14", "r13", "r12", "r11", "r10", "r9 ", "r8 ", "rbp", "rdi", "rsi", "rdx", "rcx",
    "rbx", "rax",
];
const RBP: usize = 8;

#[unsafe(naked)]
extern "C" fn exception_entry() -> ! {
    naked_asm!(
        "push rax", "push rbx", "push rcx", "push rdx", "push rsi", "push rdi", "push rbp",
        "push r8", "push r9", "push r10", "push r11", "push r12", "push r13", "push r14",
        "push r15",
        "cld",
        "mov rdi, rsp",
        "and rsp, -16",
        "xor ebp, ebp",
        "call {report}",
        "ud2",
        report = sym report,
    )
}

/// True if a report is being made. One that traps again must not start over.
static REPORTING: AtomicBool = AtomicBool::new(false);

extern "C" fn report(frame: &Frame) -> ! {
    if REPORTING.swap(true, Ordering::Relaxed) {
        let _ = Output.write_str("\nfata: another exception in the report\n");
        exit::exit(ExitStatus::PANIC);
    }
    let mut output = Output;
    let _ = write_report(&mut output, frame);
    exit::exit(ExitStatus::PANIC)
}

fn write_report(output: &mut Output, frame: &Frame) -> core::fmt::Result {
    write!(output, "\nfata: {}", name(frame.vector))?;
    if frame.vector == PAGE_FAULT {
        let address = Cr2::read_raw();
        let access = match frame.error & 0x12 {
            0x02 => "write to",
            0x10 => "execution of",
            _ => "read of",
        };
        write!(output, ": {access} {address:#018x}")?;
        output.write_str(if is_guard(address) {
            ": the stack overflowed"
        } else if address < 4096 {
            ": a null pointer was used"
        } else {
            // The error code tells if there is a page, and which access it did not allow.
            match frame.error & 0x13 {
                0x03 => ": code or a constant, which cannot be written to",
                0x11 => ": data, which cannot be executed",
                _ => ": nothing is there",
            }
        })?;
    }
    writeln!(output, "\n  ip {:#018x}", frame.rip)?;
    write!(
        output,
        "  sp {:#018x}  flags {:#x}  error {:#x}",
        frame.rsp, frame.rflags, frame.error
    )?;
    for (index, (name, value)) in REGISTERS.iter().zip(frame.registers).rev().enumerate() {
        let separator = if index % 3 == 0 { "\n  " } else { "  " };
        write!(output, "{separator}{name} {value:#018x}")?;
    }
    output.write_str("\nbacktrace:\n")?;
    writeln!(output, "  at {:#018x}", frame.rip.wrapping_add(1))?;
    backtrace::write(output, frame.registers[RBP])
}

/// Returns whether an address lies in the page under a stack.
fn is_guard(address: u64) -> bool {
    let page = address & !0xfff;
    page == stacks::program_guard() || guards().contains(&page)
}

/// The exceptions by their vectors (Intel SDM volume 3, table 6-1).
fn name(vector: u64) -> &'static str {
    match vector {
        0 => "division by zero or overflow of a division",
        1 => "debug exception",
        2 => "non-maskable interrupt",
        3 => "breakpoint",
        4 => "overflow",
        5 => "bound range exceeded",
        6 => "invalid instruction",
        7 => "device not available",
        8 => "double fault",
        10 => "invalid task state",
        11 => "segment not present",
        12 => "stack segment fault",
        13 => "general protection fault",
        14 => "page fault",
        16 => "floating-point error",
        17 => "alignment check",
        18 => "machine check",
        19 => "SIMD floating-point error",
        20 => "virtualization exception",
        21 => "control protection exception",
        _ => "reserved exception",
    }
}
