//! From the entry code to the program.

use super::boot_protocol::{Handover, Region, root_pointer};
use super::lock::InterruptLock;
use super::{apic, console, exit, extended, firmware, memory, paging, trace, traps, virtio};
use crate::{ArgsError, ExitStatus, split};
use alloc::string::String;
use alloc::vec::Vec;
use fata_console::Uart;
use fata_time::{MachineClock, Speed};

/// The command line that the boot protocol passed.
static COMMAND_LINE: InterruptLock<&'static [u8]> = InterruptLock::new(&[]);

unsafe extern "Rust" {
    /// The program, see [`main!`](crate::main). Returns its exit status.
    safe fn fata_main() -> u8;
}

/// Called by the entry code, on the main stack, with interrupts off, with what the boot
/// protocol left in `ebx` and `eax`.
pub(super) extern "C" fn start(info: u32, magic: u32) -> ! {
    // SAFETY: this is the first Rust code that runs, and it runs once.
    unsafe {
        trace::mark();
        extended::switch_on();
        Uart::init();
        traps::init();
        let Some(handover) = Handover::read(magic, info, &firmware::memory) else {
            console::write(b"fata: started by neither PVH nor Multiboot 2\n");
            exit::exit(ExitStatus::FAILURE);
        };
        firmware::take_in(root_pointer(magic, info));
        *COMMAND_LINE.lock() = handover.command_line;
        // It is read after the heap has taken all memory.
        memory::init(handover.ram(), place_of(handover.command_line));
        trace::mark();
        paging::protect();
        trace::mark();
        MachineClock::init();
        trace::mark();
    }
    apic::init();
    trace::mark();
    exit::exit(ExitStatus(fata_main()))
}

/// Where bytes lie.
fn place_of(bytes: &[u8]) -> Region {
    let addresses = bytes.as_ptr_range();
    Region {
        start: addresses.start as u64,
        end: addresses.end as u64,
    }
}

/// Logs how long the start took, and what the time comes from, once logging works.
pub(crate) fn log_start() {
    let ticks = trace::ticks_to_program();
    let speed = MachineClock.speed();
    let (level, doubt) = match speed.is_reliable {
        true => (log::Level::Debug, ""),
        false => (log::Level::Warn, ", unreliable"),
    };
    let Speed {
        source,
        frequency,
        error,
        ..
    } = speed;
    log::log!(
        target: "boot",
        level,
        "entered main after {ticks} TSC ticks; clock: {source}, {frequency} Hz ±{error} ppm{doubt}"
    );
}

/// The words of the command line. Those with which the monitor announces devices are
/// taken out.
pub(crate) fn command_line() -> Result<Vec<String>, ArgsError> {
    let bytes = *COMMAND_LINE.lock();
    let text = core::str::from_utf8(bytes).map_err(|_| ArgsError::NotText)?;
    let mut words = split(text)?;
    words.retain(|word| !virtio::announce(word));
    Ok(words)
}
