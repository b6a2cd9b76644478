//! Panics: message, place and backtrace, then a failure status.

use super::console::Output;
use super::{backtrace, exit, heap};
use crate::ExitStatus;
use core::fmt::Write;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

/// True if a panic is being told. One within it must not start over.
static PANICKING: AtomicBool = AtomicBool::new(false);

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    if !PANICKING.swap(true, Ordering::Relaxed) {
        let mut output = Output;
        if let Some(place) = info.location() {
            // As wide numbers, which are printed anyway: 400 bytes less in an image.
            let (line, column) = (u64::from(place.line()), u64::from(place.column()));
            let _ = write!(
                output,
                "\nfata: panic at {}:{line}:{column}: ",
                place.file()
            );
        }
        let _ = writeln!(output, "{}", info.message());
        let used = heap::used();
        let total = heap::total().unwrap_or_default();
        let _ = writeln!(output, "heap: {used} of {total} bytes in use\nbacktrace:");
        let _ = backtrace::write_here(&mut output);
    }
    exit::exit(ExitStatus::PANIC)
}

/// The precompiled `core` names it for unwinding, which an image never does.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// The precompiled `core` names it for unwinding, which an image never does.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    exit::exit(ExitStatus::PANIC)
}
