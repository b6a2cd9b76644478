//! The local APIC with its timer, the I/O APIC, and the old PICs, which are switched off.
//!
//! Sources: Intel SDM volume 3, chapter 10; Intel 82093AA (I/O APIC); Intel 8259A.

use super::interrupts::{self, Interrupt};
use core::time::Duration;
use x86_64::instructions::port::Port;

const LOCAL_APIC: usize = 0xfee0_0000;
const ID: usize = 0x20;
const SPURIOUS_VECTOR: usize = 0xf0;
const TIMER_VECTOR: usize = 0x320;
const TIMER_INITIAL_COUNT: usize = 0x380;
const TIMER_CURRENT_COUNT: usize = 0x390;
const TIMER_DIVIDE: usize = 0x3e0;

const SOFTWARE_ENABLE: u32 = 0x100;
const DIVIDE_BY_1: u32 = 0xb;

const IO_APIC: usize = 0xfec0_0000;
const IO_APIC_DATA: usize = 0x10;
const REDIRECTION_TABLE: u32 = 0x10;
const IO_APIC_PINS: u32 = 24;

fn read(register: usize) -> u32 {
    // SAFETY: the local APIC is at this address on every x86_64 machine after reset.
    unsafe { ((LOCAL_APIC + register) as *const u32).read_volatile() }
}

fn write(register: usize, value: u32) {
    // SAFETY: as above; the registers written here affect interrupts only.
    unsafe { ((LOCAL_APIC + register) as *mut u32).write_volatile(value) }
}

/// Switches the PICs off and the local APIC on, with a one-shot timer.
pub(super) fn init() {
    mask_pics();
    write(
        SPURIOUS_VECTOR,
        SOFTWARE_ENABLE | u32::from(interrupts::SPURIOUS),
    );
    write(TIMER_DIVIDE, DIVIDE_BY_1);
    write(TIMER_VECTOR, u32::from(interrupts::TIMER));
}

/// Moves the PICs' vectors away from the exceptions and masks all their inputs.
fn mask_pics() {
    let out = |port: u16, value: u8| {
        // SAFETY: these ports belong to the PICs; where there are none, nothing happens.
        unsafe { Port::new(port).write(value) }
    };
    // ICW1 (edge triggered, cascade, ICW4 follows) to ICW4 (8086 mode), then the masks.
    for (command, data, vector, cascade) in [(0x20, 0x21, 0xe0, 4), (0xa0, 0xa1, 0xe8, 2)] {
        out(command, 0x11);
        out(data, vector);
        out(data, cascade);
        out(data, 0x01);
        out(data, 0xff);
    }
}

/// Lets the timer count down from `ticks`, and raise its interrupt at zero. Zero ticks
/// stop it.
pub(super) fn arm(ticks: u32) {
    write(TIMER_INITIAL_COUNT, ticks);
}

/// What is left of the count.
pub(super) fn remaining() -> u32 {
    read(TIMER_CURRENT_COUNT)
}

/// The address and the data of a message that raises the interrupt's vector, for MSI and
/// MSI-X (Intel SDM volume 3, 10.11).
pub(super) fn message(interrupt: Interrupt) -> (u64, u32) {
    let id = u64::from(read(ID) >> 24);
    (LOCAL_APIC as u64 | id << 12, u32::from(interrupt.vector))
}

/// Routes an input of the I/O APIC to the interrupt's vector, edge triggered. Returns
/// whether there is such an input.
pub(super) fn route(pin: u32, interrupt: Interrupt) -> bool {
    if pin >= IO_APIC_PINS {
        return false;
    }
    let entry = REDIRECTION_TABLE + 2 * pin;
    let destination = read(ID) & 0xff00_0000;
    io_apic_write(entry + 1, destination);
    io_apic_write(entry, u32::from(interrupt.vector));
    true
}

fn io_apic_write(register: u32, value: u32) {
    // SAFETY: the first I/O APIC is at this address on the machines that Fata runs on;
    // the registers written here affect interrupts only.
    unsafe {
        (IO_APIC as *mut u32).write_volatile(register);
        ((IO_APIC + IO_APIC_DATA) as *mut u32).write_volatile(value);
    }
}

/// The longest time for which the timer is armed. A wait that is longer is made of
/// several.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(3);
