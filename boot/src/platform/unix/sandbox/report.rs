//! Says which system call was not allowed, before it ends the process.

use super::rules;
use crate::platform::console;
use core::ffi::{c_int, c_void};
use core::fmt::{self, Write};
use std::io;
use syscalls::Sysno;

/// The exit status of a program that has made a call that is not allowed: what a shell
/// shows for SIGSYS.
pub(super) const STATUS: c_int = 128 + libc::SIGSYS;

/// `si_code` of a signal that a filter has sent, SYS_SECCOMP of `asm-generic/siginfo.h`.
const FROM_FILTER: c_int = 1;

/// The content of `siginfo_t` for SIGSYS, sigaction(2).
#[repr(C)]
struct Violation {
    signal: c_int,
    error: c_int,
    code: c_int,
    address: *const c_void,
    call: c_int,
    architecture: u32,
}

/// Has [`end`] called for SIGSYS.
pub(super) fn catch() -> io::Result<()> {
    let handler: extern "C" fn(c_int, *const Violation, *const c_void) -> ! = end;
    // SAFETY: all zeros are an empty mask and no flags; the handler is set below.
    let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
    action.sa_sigaction = handler as libc::sighandler_t;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: the action lives through the call, and its handler has the signature that
    // SA_SIGINFO asks for and does only what a signal handler may do.
    match unsafe { libc::sigaction(libc::SIGSYS, &action, core::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Neither takes a lock nor allocates: it interrupts the program anywhere.
extern "C" fn end(_: c_int, violation: *const Violation, _: *const c_void) -> ! {
    // SAFETY: the kernel hands a `siginfo_t`, which is larger, and its fields up to `code`
    // are valid for every signal, the others for those of a filter. It is plain integers.
    let (code, call) = unsafe { ((*violation).code, (*violation).call) };
    let mut line = Line::default();
    // It has room for every name of a call, and what is too long is cut off.
    let _ = describe(&mut line, (code == FROM_FILTER).then_some(call));
    console::write(&line.bytes[..line.length]);
    // SAFETY: it ends the process and runs nothing of it.
    unsafe { libc::_exit(STATUS) }
}

fn describe(line: &mut Line, call: Option<c_int>) -> fmt::Result {
    line.write_str("fata: sandbox: ")?;
    let Some(number) = call else {
        return line.write_str("ended by a SIGSYS from outside\n");
    };
    line.write_str("the program called ")?;
    let call = usize::try_from(number).ok().and_then(Sysno::new);
    let name = call.map_or("an unknown system call", |call| call.name());
    let how = if call.is_some_and(rules::is_known) {
        "which is not allowed here, or not in this way"
    } else {
        "which is not allowed"
    };
    writeln!(line, "{name} ({number}), {how}; it was ended")
}

/// A line of text without the heap.
struct Line {
    bytes: [u8; 160],
    length: usize,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            bytes: [0; 160],
            length: 0,
        }
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes[self.length..].get_mut(..text.len());
        room.ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length += text.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(call: Option<c_int>) -> alloc::string::String {
        let mut line = Line::default();
        describe(&mut line, call).unwrap();
        str::from_utf8(&line.bytes[..line.length]).unwrap().into()
    }

    #[test]
    fn the_call_is_named() {
        let number = Sysno::openat.id();
        assert_eq!(
            line(Some(number)),
            std::format!(
                "fata: sandbox: the program called openat ({number}), which is not allowed; it was ended\n"
            )
        );
        assert!(line(Some(Sysno::mmap.id())).contains("mmap"));
        assert!(line(Some(Sysno::mmap.id())).contains("not in this way"));
        assert!(line(Some(-7)).contains("an unknown system call (-7)"));
        assert!(line(None).contains("from outside"));
    }

    #[test]
    fn every_name_has_room() {
        for call in Sysno::iter() {
            assert!(line(Some(call.id())).ends_with("ended\n"), "{call}");
        }
    }
}
