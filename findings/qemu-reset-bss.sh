#!/usr/bin/env bash
# QEMU 7.2, -kernel with an ELF file (PVH)
# Expected: after a reset, the kernel is loaded as at power-on, zeroes past a segment's bytes.
# Seen: segments that have bytes in the file are, with the zeroes behind them; a segment without
# (.bss by itself) keeps what the run before left in memory.
# Fata: clears .bss in its first instructions, whoever loaded it.

set -euo pipefail
. "$(dirname "$0")/common.sh"
need qemu-system-x86 7.2
need binutils 2.40
begin

cat >kernel.ld <<'LD'
PHDRS { note PT_NOTE; text PT_LOAD; data PT_LOAD; bss PT_LOAD; }
SECTIONS {
    . = 0x200000;
    .note : { *(.note) } :note :text
    .text : { *(.text) } :text
    . = 0x201000;
    .data : { *(.data) } :data
    .tail : { *(.tail) } :data
    . = 0x202000;
    .bss : { *(.bss) } :bss
}
LD

# A kernel that prints three counters to port 0xe9, counts them up, and resets the machine; the
# second time, by a count outside of the file, it ends QEMU.
link_kernel -T kernel.ld <<'ASM'
    cld
    mov $counters, %esi
    mov $3, %ecx
    mov $0xe9, %dx
1:  lodsl
    mov %eax, %ebx
    mov (%ebx), %al
    incb (%ebx)
    add $'0', %al
    out %al, %dx
    loop 1b
    mov $'\n', %al
    out %al, %dx
    mov $0x800000, %ebx
    incb (%ebx)
    cmpb $2, (%ebx)
    jb 2f
    mov $0xf4, %dx
    xor %eax, %eax
    out %al, %dx
2:  mov $0xfe, %al
    out %al, $0x64
3:  hlt
    jmp 3b
counters:
    .long in_file, behind_file, in_bss
    .data
in_file:
    .long 0
    .section .tail, "aw", @nobits
behind_file:
    .long 0
    .bss
in_bss:
    .long 0
ASM
empty=$(readelf --wide --program-headers kernel | awk '$1 == "LOAD" && $5 == "0x00000"' | wc -l)
same "segments without bytes in the file" 1 "$empty"

run_kernel -M q35
same "at power-on: in the file, behind it, in .bss" 000 "$(sed -n 1p text)"
same "after a reset" 001 "$(sed -n 2p text)"
