//! Backtraces by the chain of frame pointers.

use core::fmt::{self, Write};

/// Longer backtraces are cut off.
const LONGEST: usize = 48;

unsafe extern "C" {
    static __stack_guard: u8;
    static __stack_top: u8;
}

/// Writes the return addresses above the frame at `rbp`, one a line. `cargo fata run`
/// adds function, file and line. A function that calls itself is told once.
pub(super) fn write(output: &mut impl Write, rbp: u64) -> fmt::Result {
    let mut last = 0;
    let mut repeated = 0;
    let mut lines = 0;
    for address in (ReturnAddresses {
        frame: rbp,
        lowest: 0,
    }) {
        if address == last {
            repeated += 1;
            continue;
        }
        write_repeated(output, repeated)?;
        if lines == LONGEST {
            return output.write_str("  and so on\n");
        }
        writeln!(output, "  at {address:#018x}")?;
        (last, repeated, lines) = (address, 0, lines + 1);
    }
    write_repeated(output, repeated)
}

fn write_repeated(output: &mut impl Write, times: usize) -> fmt::Result {
    match times {
        0 => Ok(()),
        _ => writeln!(output, "  and {times} times more"),
    }
}

/// Follows the chain of frames. Only frames on the main stack are read, each above the
/// one before, so a broken chain ends the backtrace and cannot fault.
struct ReturnAddresses {
    frame: u64,
    lowest: u64,
}

impl Iterator for ReturnAddresses {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let bottom = &raw const __stack_guard as u64 + 4096;
        let top = &raw const __stack_top as u64;
        let lowest = self.lowest.max(bottom);
        if !(lowest..=top - 16).contains(&self.frame) || !self.frame.is_multiple_of(8) {
            return None;
        }
        // SAFETY: both words lie on the main stack.
        let [caller, address] = unsafe { *(self.frame as *const [u64; 2]) };
        self.lowest = self.frame + 16;
        self.frame = caller;
        (address != 0).then_some(address)
    }
}

/// Writes the backtrace of the caller.
#[inline(always)]
pub(super) fn write_here(output: &mut impl Write) -> fmt::Result {
    let rbp: u64;
    // SAFETY: reads a register.
    unsafe { core::arch::asm!("mov {}, rbp", out(reg) rbp, options(nomem, nostack)) };
    write(output, rbp)
}
