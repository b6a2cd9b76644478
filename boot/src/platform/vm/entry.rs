//! Power-on: from the 32-bit entry point of the boot protocols to 64-bit Rust.
//!
//! PVH (Xen's `docs/misc/pvh.pandoc`) enters at the address that an ELF note names, and
//! Multiboot 2 (its specification 2.0, section 3.3) at the ELF file's own entry point. Both
//! do it in 32-bit protected mode with flat segments, paging off, interrupts off, and the
//! physical address of what they have to tell in `ebx`; Multiboot 2 with a magic number in
//! `eax`.
//!
//! Memory holds leftovers: a monitor that resets the machine loads again what has bytes in the
//! file, but `.bss` has none there. So it is cleared first, all but `.bss.unset`, which holds
//! what is written before it is read.

use core::arch::global_asm;

global_asm!(
    r#"
    // XEN_ELFNOTE_PHYS32_ENTRY (18): where PVH enters.
    .section .note.xen, "a", @note
    .balign 4
    .long 4, 4, 18
    .asciz "Xen"
    .long _start

    // The header of Multiboot 2: magic, i386, length, checksum; no tags but the last.
    .section .multiboot, "a"
    .balign 8
    .long 0xe85250d6, 0, 24, 0x100000000 - (0xe85250d6 + 24)
    .long 0, 8

    .section .text.entry, "ax"
    .code32
    .global _start
_start:
    cld
    mov esi, eax
    rdtsc
    mov ebp, eax
    xor eax, eax
    mov edi, offset __bss_start
    mov ecx, offset __bss_end
    sub ecx, edi
    shr ecx, 2
    rep stosd
    mov [{entry_tsc}], ebp
    mov [{entry_tsc} + 4], edx

    // Identity map of the first 4 GiB, in pages of 2 MiB: present, writable, large. Pushed from
    // the last one down, which takes the fewest instructions.
    mov esp, offset {directories} + 4 * 4096
    mov eax, 0xffe00083
2:  push 0
    push eax
    sub eax, 0x200000
    jnc 2b
    mov edi, offset {pointers}
    mov eax, offset {directories} + 3
    mov ecx, 4
3:  mov [edi], eax
    add eax, 4096
    add edi, 8
    dec ecx
    jnz 3b
    mov dword ptr [{root}], offset {pointers} + 3

    // Physical address extension, SSE and its exceptions (Intel SDM volume 3, 2.5), and
    // nothing that a firmware has switched on.
    mov eax, 0x620
    mov cr4, eax
    mov eax, offset {root}
    mov cr3, eax
    // Long mode (EFER.LME).
    mov ecx, 0xc0000080
    rdmsr
    or eax, 0x100
    wrmsr
    // Paging, write protection, numeric errors, monitor coprocessor; no emulation.
    mov eax, cr0
    and eax, 0xfffffff3
    or eax, 0x80010022
    mov cr0, eax
    lgdt [boot_gdt_pointer]
    // A far return to the 64-bit code segment.
    mov esp, offset __stack_top
    push 8
    mov eax, offset _start_long_mode
    push eax
    retf

    .code64
_start_long_mode:
    xor eax, eax
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov fs, eax
    mov gs, eax
    fninit
    push 0x1f80
    ldmxcsr [rsp]
    lea rsp, [rip + __stack_top]
    // The end of the chain of frame pointers.
    xor ebp, ebp
    mov edi, ebx
    call {start}
    ud2

    .section .rodata.entry, "a"
    .balign 8
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff
boot_gdt_pointer:
    .word 15
    .long boot_gdt
    .section .text
    "#,
    entry_tsc = sym super::trace::ENTRY_TSC,
    directories = sym super::paging::DIRECTORIES,
    pointers = sym super::paging::POINTERS,
    root = sym super::paging::ROOT,
    start = sym super::start::start,
);
