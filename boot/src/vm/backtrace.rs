//! Backtraces by the chain of frame pointers.

use core::fmt::{self, Write};

/// Longer backtraces are cut off.
const DEEPEST: usize = 48;

unsafe extern "C" {
    static __stack_guard: u8;
    static __stack_top: u8;
}

/// Writes the return addresses above the frame at `rbp`, one a line. `cargo fata run`
/// adds function, file and line.
///
/// Only frames on the main stack are read, each above the one before, so a broken chain
/// ends the backtrace and cannot fault.
pub(super) fn write(output: &mut impl Write, rbp: u64) -> fmt::Result {
    let (bottom, top) = (
        &raw const __stack_guard as u64 + 4096,
        &raw const __stack_top as u64,
    );
    let mut frame = rbp;
    let mut lowest = bottom;
    for _ in 0..DEEPEST {
        if frame < lowest || frame > top - 16 || !frame.is_multiple_of(8) {
            return Ok(());
        }
        // SAFETY: both words lie on the main stack.
        let [caller, address] = unsafe { *(frame as *const [u64; 2]) };
        if address == 0 {
            return Ok(());
        }
        writeln!(output, "  at {address:#018x}")?;
        lowest = frame + 16;
        frame = caller;
    }
    output.write_str("  ...\n")
}

/// Writes the backtrace of the caller.
#[inline(always)]
pub(super) fn write_here(output: &mut impl Write) -> fmt::Result {
    let rbp: u64;
    // SAFETY: reads a register.
    unsafe { core::arch::asm!("mov {}, rbp", out(reg) rbp, options(nomem, nostack)) };
    write(output, rbp)
}
