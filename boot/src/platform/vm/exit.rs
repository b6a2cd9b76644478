//! How a virtual machine ends.

use super::acpi::{Register, SLEEP_SOFT_OFF};
use super::firmware;
use crate::ExitStatus;
use x86_64::instructions::{hlt, interrupts, port::Port};

/// QEMU's `isa-debug-exit` device, as `cargo fata run` places it.
const DEBUG_EXIT: u16 = 0xf4;
/// Turned over in the status, so that success does not look like the end of a machine
/// that reset itself: QEMU ends with twice the value plus one, 33 for status 0.
const SUCCESS_BIT: u8 = 0x10;
/// QEMU's exit status has no room for more.
const LARGEST_STATUS: u8 = 0x7f;

/// Where QEMU's q35 and pc machines have their ACPI power management control register, and
/// where UEFI firmware puts that of pc.
const PM1A_CONTROL: [u16; 2] = [0x604, 0xb004];
/// Sleep type 0, which is S5 there, and sleep enable.
const SOFT_OFF: u16 = 1 << 13;

const RESET_CONTROL: u16 = 0xcf9;
const RESET_CPU_AND_SYSTEM: u8 = 0x06;
const KEYBOARD_COMMAND: u16 = 0x64;
const KEYBOARD_RESET: u8 = 0xfe;

/// Hands the status to the monitor, where it can take one, and switches the machine off.
pub(crate) fn exit(status: ExitStatus) -> ! {
    let value = (status.0.min(LARGEST_STATUS)) ^ SUCCESS_BIT;
    // SAFETY: where there is no such device, the write does nothing.
    unsafe { Port::new(DEBUG_EXIT).write(u32::from(value)) };
    poweroff()
}

/// Switches the machine off, or resets it where that is not possible: a monitor such as
/// Firecracker, or QEMU's microvm without ACPI and with `-no-reboot`, takes a reset for the end.
pub(crate) fn poweroff() -> ! {
    // SAFETY: where there is no such register, the write does nothing: the machine ends here,
    // whatever else is at that place. The firmware names the last one for this.
    unsafe {
        for register in PM1A_CONTROL {
            Port::new(register).write(SOFT_OFF);
        }
        match firmware::tables().sleep_control() {
            Some(Register::Memory(address)) => {
                (address as usize as *mut u8).write_volatile(SLEEP_SOFT_OFF);
            }
            Some(Register::Port(port)) => Port::new(port).write(SLEEP_SOFT_OFF),
            None => {}
        }
    }
    reboot()
}

/// Resets the machine: through the chip set, else the keyboard controller, else by a
/// triple fault.
pub(crate) fn reboot() -> ! {
    interrupts::disable();
    // SAFETY: both writes reset the machine or do nothing; with an empty table of gates
    // the breakpoint cannot be delivered, nor can the faults that follow from it.
    unsafe {
        Port::new(RESET_CONTROL).write(RESET_CPU_AND_SYSTEM);
        Port::new(KEYBOARD_COMMAND).write(KEYBOARD_RESET);
        let nothing = x86_64::structures::DescriptorTablePointer {
            limit: 0,
            base: x86_64::VirtAddr::zero(),
        };
        x86_64::instructions::tables::lidt(&nothing);
        core::arch::asm!("int3");
    }
    loop {
        hlt();
    }
}
