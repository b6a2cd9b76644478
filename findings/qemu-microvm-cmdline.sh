#!/usr/bin/env bash
# QEMU 7.2, machine microvm
# Expected: auto-kernel-cmdline, on unless turned off, puts virtio-mmio devices on the command line.
# Seen: it does so with acpi=off only; with ACPI, the default, the command line has what -append
# gave.
# Fata: takes the places on the command line, then those that only the ACPI tables describe.

set -euo pipefail
. "$(dirname "$0")/common.sh"
need qemu-system-x86 7.2
need binutils 2.40
begin

# A kernel that copies the command line from fw_cfg (size in 0x14, text in 0x15) to port 0xe9, and
# ends QEMU.
cat >kernel.s <<'ASM'
    .code32
    .section .note, "a", @note
    .long 4, 4, 18
    .asciz "Xen"
    .long start
    .text
    .globl start
start:
    mov $0x510, %dx
    mov $0x14, %ax
    out %ax, %dx
    inc %dx
    in %dx, %al
    movzbl %al, %ecx
    dec %dx
    mov $0x15, %ax
    out %ax, %dx
1:  mov $0x511, %dx
    in %dx, %al
    mov $0xe9, %dx
    out %al, %dx
    loop 1b
    mov $0xf4, %dx
    xor %eax, %eax
    out %al, %dx
2:  hlt
    jmp 2b
ASM
as --32 kernel.s -o kernel.o
ld -m elf_i386 -Ttext 0x200000 -e start kernel.o -o kernel

command_line() {
    local status=0
    timeout 60 qemu-system-x86_64 -accel tcg -M "microvm$1" -m 32 -nodefaults -display none \
        -kernel kernel -append mine -device virtio-rng-device -debugcon file:text \
        -device isa-debug-exit,iobase=0xf4,iosize=4 || status=$?
    # What the device for it makes of 0.
    [ "$status" = 1 ] || die "QEMU ended with $status"
    tr -d '\0' <text
}

same "by default" mine "$(command_line '')"
same "with acpi=on" mine "$(command_line ,acpi=on)"
same "with acpi=off" "mine virtio_mmio.device=512@0xfeb00e00:12" "$(command_line ,acpi=off)"
