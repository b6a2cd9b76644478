//! System calls that no sandboxed program may make, bare, as an attacker makes them.

use core::arch::asm;
use std::fmt;
use std::str::FromStr;

/// A name, the number of the call on x86_64, and its arguments.
#[derive(Clone, Copy)]
pub struct Attempt(&'static str, usize, [usize; 6]);

const INET: usize = 2;
const STREAM: usize = 1;
const NOTHING: [usize; 6] = [0; 6];
/// PROT_READ and PROT_EXEC.
const EXECUTABLE: usize = 1 | 4;
/// MAP_PRIVATE and MAP_ANONYMOUS.
const ANONYMOUS: usize = 0x02 | 0x20;
/// No address of the program's: a call that was let through fails, and does no harm.
const NOWHERE: usize = 0;

#[rustfmt::skip]
const ATTEMPTS: &[Attempt] = &[
    Attempt("open", 2, [NOWHERE, 0, 0, 0, 0, 0]),
    Attempt("openat", 257, [0, NOWHERE, 0, 0, 0, 0]),
    Attempt("openat2", 437, NOTHING),
    Attempt("unlink", 87, [NOWHERE, 0, 0, 0, 0, 0]),
    Attempt("exec", 59, [NOWHERE, 0, 0, 0, 0, 0]),
    Attempt("fork", 57, NOTHING),
    Attempt("clone", 56, NOTHING),
    Attempt("clone3", 435, NOTHING),
    Attempt("ptrace", 101, NOTHING),
    Attempt("read-memory-of-others", 310, NOTHING),
    Attempt("kill", 62, [1, 0, 0, 0, 0, 0]),
    Attempt("signal-thread-of-others", 234, [1, 1, 0, 0, 0, 0]),
    Attempt("catch-sigsys", 13, [31, NOWHERE, NOWHERE, 8, 0, 0]),
    Attempt("map-executable", 9, [0, 4096, EXECUTABLE, ANONYMOUS, usize::MAX, 0]),
    Attempt("map-file", 9, [0, 4096, 1, 2, 0, 0]),
    Attempt("make-executable", 10, [0, 4096, EXECUTABLE, 0, 0, 0]),
    Attempt("unix-socket", 41, [1, STREAM, 0, 0, 0, 0]),
    Attempt("packet-socket", 41, [17, 3, 0, 0, 0, 0]),
    Attempt("raw-socket", 41, [INET, 3, 1, 0, 0, 0]),
    Attempt("sctp-socket", 41, [INET, STREAM, 132, 0, 0, 0]),
    Attempt("tcp-socket", 41, [INET, STREAM, 0, 0, 0, 0]),
    Attempt("push-terminal-input", 16, [0, 0x5412, NOWHERE, 0, 0, 0]),
    Attempt("resize-terminal", 16, [0, 0x5414, NOWHERE, 0, 0, 0]),
    Attempt("duplicate-descriptor", 32, [1, 0, 0, 0, 0, 0]),
    Attempt("prctl", 157, NOTHING),
    Attempt("seccomp", 317, NOTHING),
    Attempt("bpf", 321, NOTHING),
    Attempt("io-uring", 425, NOTHING),
    Attempt("unshare", 272, NOTHING),
    Attempt("mount", 165, NOTHING),
    Attempt("setuid", 105, NOTHING),
    Attempt("x32-getpid", 0x4000_0000 | 39, NOTHING),
    Attempt("no-such-call", 100_000, NOTHING),
];

impl Attempt {
    /// Makes the call. Returns the host's answer, if there is one.
    pub fn make(self) -> isize {
        let Self(_, number, [a, b, c, d, e, f]) = self;
        let result;
        // SAFETY: not safe for every call that there is, which is the point; none of the
        // table's writes to the program's memory or takes any of it away.
        unsafe {
            asm!(
                "syscall",
                inlateout("rax") number => result,
                in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
                out("rcx") _, out("r11") _,
            );
        }
        result
    }
}

/// The attempt is none of [`ATTEMPTS`].
pub struct UnknownAttempt;

impl FromStr for Attempt {
    type Err = UnknownAttempt;

    fn from_str(name: &str) -> Result<Self, UnknownAttempt> {
        let found = ATTEMPTS.iter().find(|attempt| attempt.0 == name);
        found.copied().ok_or(UnknownAttempt)
    }
}

impl fmt::Display for UnknownAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the attempts are")?;
        ATTEMPTS
            .iter()
            .try_for_each(|attempt| write!(f, " {attempt}"))
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
