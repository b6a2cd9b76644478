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
link_kernel -Ttext 0x200000 <<'ASM'
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

command_line() {
    run_kernel -M "microvm$1" -append mine -device virtio-rng-device
    tr -d '\0' <text
}

same "by default" mine "$(command_line '')"
same "with acpi=on" mine "$(command_line ,acpi=on)"
same "with acpi=off" "mine virtio_mmio.device=512@0xfeb00e00:12" "$(command_line ,acpi=off)"
