//! The local APIC with its timer, the I/O APIC, and the old PICs, which are switched off.
//!
//! Sources: Intel SDM volume 3, chapter 10; Intel 82093AA (I/O APIC); Intel 8259A.

use super::interrupts::{self, Interrupt};
use super::{firmware, timer};
use core::arch::x86_64::{__cpuid, _mm_mfence};
use core::ops::Range;
use core::time::Duration;
use x86_64::instructions::port::Port;
use x86_64::registers::model_specific::Msr;

const LOCAL_APIC: usize = 0xfee0_0000;
const ID: usize = 0x20;
const SPURIOUS_VECTOR: usize = 0xf0;
const TIMER_VECTOR: usize = 0x320;
const TIMER_INITIAL_COUNT: usize = 0x380;
const TIMER_CURRENT_COUNT: usize = 0x390;
const TIMER_DIVIDE: usize = 0x3e0;

/// Where the APIC is, and in which mode (Intel SDM volume 3, 10.4.4 and 10.12.1).
const MSR_BASE: u32 = 0x1b;
const X2APIC_MODE: u64 = 1 << 10;
const ENABLE: u64 = 1 << 11;
/// The time-stamp counter's value at which the timer interrupts (10.5.4.1).
const MSR_TSC_DEADLINE: u32 = 0x6e0;
const DEADLINE_MODE: u32 = 2 << 17;

const SOFTWARE_ENABLE: u32 = 0x100;
const DIVIDE_BY_1: u32 = 0xb;

/// The first I/O APIC, and where all of them are.
const IO_APIC: u32 = 0xfec0_0000;
const IO_APICS: Range<u32> = IO_APIC..0xfed0_0000;
const IO_APIC_DATA: usize = 0x10;
const IO_APIC_VERSION: u32 = 1;
const REDIRECTION_TABLE: u32 = 0x10;

fn read(register: usize) -> u32 {
    // SAFETY: the local APIC is at this address on every x86_64 machine after reset.
    unsafe { ((LOCAL_APIC + register) as *const u32).read_volatile() }
}

fn write(register: usize, value: u32) {
    // SAFETY: as above; the registers written here affect interrupts only.
    unsafe { ((LOCAL_APIC + register) as *mut u32).write_volatile(value) }
}

/// Switches the PICs off and the local APIC on, its timer not counting.
pub(super) fn init() {
    mask_pics();
    leave_x2apic_mode();
    write(
        SPURIOUS_VECTOR,
        SOFTWARE_ENABLE | u32::from(interrupts::SPURIOUS),
    );
    write(TIMER_DIVIDE, DIVIDE_BY_1);
}

/// In x2APIC mode, in which a firmware may hand over, nothing answers at [`LOCAL_APIC`].
/// The way back leads through an APIC that is switched off (Intel SDM volume 3, 10.12.5).
fn leave_x2apic_mode() {
    let mut register = Msr::new(MSR_BASE);
    // SAFETY: both modes are left and entered as the manual says, with interrupts off and
    // before the APIC is used.
    unsafe {
        let base = register.read();
        if base & X2APIC_MODE != 0 {
            let off = base & !(X2APIC_MODE | ENABLE);
            register.write(off);
            register.write(off | ENABLE);
        }
    }
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

/// Sets the timer up. Where it takes deadlines, returns true; else it starts to count down
/// from its largest count.
pub(super) fn start_timer() -> bool {
    let takes_deadlines = own_timer();
    if !takes_deadlines {
        arm(u32::MAX);
    }
    takes_deadlines
}

/// Has the timer raise the vector of its own, and take deadlines if it can. Returns
/// whether it can.
fn own_timer() -> bool {
    let takes_deadlines = timer::takes_deadlines(__cpuid(1).ecx);
    let mode = if takes_deadlines { DEADLINE_MODE } else { 0 };
    write(TIMER_VECTOR, mode | u32::from(interrupts::TIMER));
    // SAFETY: every x86_64 processor has the instruction. Without it, the first deadline
    // could overtake the change of mode (Intel SDM volume 3, 10.5.4.1).
    unsafe { _mm_mfence() };
    takes_deadlines
}

/// Lets the timer, which takes deadlines, interrupt when the time-stamp counter shows
/// `ticks`, at once if it has. Zero stops it.
pub(super) fn arm_deadline(ticks: u64) {
    // SAFETY: a timer that takes deadlines has the register, which affects only it.
    unsafe { Msr::new(MSR_TSC_DEADLINE).write(ticks) };
}

/// Lets the timer count down from `ticks`, and raise its interrupt at zero. Zero ticks
/// stop it.
pub(super) fn arm(ticks: u32) {
    write(TIMER_INITIAL_COUNT, ticks);
}

/// The rest of the count.
pub(super) fn remaining() -> u32 {
    read(TIMER_CURRENT_COUNT)
}

/// The address and the data of a message that raises the interrupt's vector, for MSI and
/// MSI-X (Intel SDM volume 3, 10.11).
pub(super) fn message(interrupt: Interrupt) -> (u64, u32) {
    let id = u64::from(read(ID) >> 24);
    (LOCAL_APIC as u64 | id << 12, u32::from(interrupt.vector))
}

/// Routes an input of the first I/O APIC to the vector of `to`, edge triggered.
pub(super) fn route(pin: u32, to: Interrupt) {
    route_at(IO_APIC, pin, to);
}

/// Routes an interrupt, by its number over all I/O APICs, to the vector of `to`, edge
/// triggered. Returns whether an I/O APIC takes it in.
pub(super) fn route_any(interrupt: u32, to: Interrupt) -> bool {
    let described = firmware::tables().io_apic(interrupt);
    // Where nothing is described there is one.
    let (io_apic, pin) = described.unwrap_or((IO_APIC, interrupt));
    let is_there = IO_APICS.contains(&io_apic) && pin <= last_pin(io_apic);
    if is_there {
        route_at(io_apic, pin, to);
    }
    is_there
}

fn route_at(io_apic: u32, pin: u32, to: Interrupt) {
    let entry = REDIRECTION_TABLE + 2 * pin;
    let destination = read(ID) & 0xff00_0000;
    io_apic_write(io_apic, entry + 1, destination);
    io_apic_write(io_apic, entry, u32::from(to.vector));
}

/// The number of an I/O APIC's last input.
fn last_pin(io_apic: u32) -> u32 {
    io_apic_select(io_apic, IO_APIC_VERSION);
    // SAFETY: as in `io_apic_select`; to read the register changes nothing.
    let version = unsafe { ((io_apic as usize + IO_APIC_DATA) as *const u32).read_volatile() };
    version >> 16 & 0xff
}

fn io_apic_select(io_apic: u32, register: u32) {
    // SAFETY: an I/O APIC is there, as the firmware says, or as on every machine without ACPI
    // that Fata runs on; what the register of this number does is up to the caller.
    unsafe { (io_apic as usize as *mut u32).write_volatile(register) }
}

fn io_apic_write(io_apic: u32, register: u32, value: u32) {
    io_apic_select(io_apic, register);
    // SAFETY: as above; the registers written here affect interrupts only.
    unsafe { ((io_apic as usize + IO_APIC_DATA) as *mut u32).write_volatile(value) }
}

#[cfg(feature = "test-interrupts")]
const REQUESTED: usize = 0x200;
#[cfg(feature = "test-interrupts")]
const COMMAND: usize = 0x300;
/// Destination shorthand "self", level assert, fixed delivery (Intel SDM volume 3, 10.6.1).
#[cfg(feature = "test-interrupts")]
const TO_SELF: u32 = 1 << 18 | 1 << 14;

/// Raises a vector as a device would.
#[cfg(feature = "test-interrupts")]
pub(super) fn send_to_self(vector: u8) {
    write(COMMAND, TO_SELF | u32::from(vector));
}

/// Returns whether a vector waits for the processor to let interrupts in.
#[cfg(feature = "test-interrupts")]
pub(super) fn is_requested(vector: u8) -> bool {
    let register = REQUESTED + usize::from(vector / 32) * 16;
    read(register) & 1 << (vector % 32) != 0
}

/// Lets the timer raise another vector than its own.
#[cfg(feature = "test-interrupts")]
pub(super) fn lend_timer(vector: u8, ticks: u32) {
    // A count for the idle loop must not raise that vector.
    arm(0);
    write(TIMER_VECTOR, u32::from(vector));
    arm(ticks);
}

/// Stops the timer, and has it raise its own vector from here on. Returns what was left
/// of the count.
#[cfg(feature = "test-interrupts")]
pub(super) fn take_timer_back() -> u32 {
    let left = remaining();
    arm(0);
    own_timer();
    left
}

/// The longest time for which the timer is armed. A wait that is longer is made of
/// several.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(3);
