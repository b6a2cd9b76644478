//! Which system calls a sandboxed program may make.

use super::profile::Profile;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use seccompiler::{
    BackendError, BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp,
    SeccompCondition, SeccompFilter, SeccompRule,
};
use syscalls::Sysno;

/// The value of an argument's 32 lower bits, as far as `mask` selects them. Nothing
/// that is checked here is wider.
#[derive(Clone, Copy)]
struct Check {
    argument: u8,
    mask: i32,
    value: i32,
}

const fn is(argument: u8, value: i32) -> Check {
    bits(argument, -1, value)
}

const fn bits(argument: u8, mask: i32, value: i32) -> Check {
    Check {
        argument,
        mask,
        value,
    }
}

/// A call, and what its arguments must be. A call that stands here several times may be
/// made in each of these ways.
type Rule = (Sysno, &'static [Check]);

/// The event loop, memory, the console, devices that are open, and an orderly end.
const ALWAYS: &[Rule] = &[
    (Sysno::read, &[]),
    (Sysno::write, &[]),
    // Messages of the C library before it gives up.
    (Sysno::writev, &[]),
    (Sysno::close, &[]),
    // Debug builds look whether a descriptor is open before they close it.
    (Sysno::fcntl, &[is(1, libc::F_GETFD)]),
    // A TAP device is left as it was found.
    (Sysno::ioctl, &[is(1, libc::TUNSETOFFLOAD as i32), is(2, 0)]),
    (Sysno::ioctl, &[is(1, libc::TUNSETVNETHDRSZ as i32)]),
    (Sysno::epoll_ctl, &[]),
    #[cfg(target_arch = "x86_64")]
    (Sysno::epoll_wait, &[]),
    (Sysno::epoll_pwait, &[]),
    (Sysno::epoll_pwait2, &[]),
    #[cfg(target_arch = "x86_64")]
    (Sysno::poll, &[]),
    (Sysno::ppoll, &[]),
    // This call continues a wait after the process was stopped.
    (Sysno::restart_syscall, &[]),
    (Sysno::clock_gettime, &[]),
    (Sysno::getrandom, &[]),
    (Sysno::brk, &[]),
    (
        Sysno::mmap,
        &[
            bits(2, libc::PROT_EXEC, 0),
            bits(3, libc::MAP_ANONYMOUS, libc::MAP_ANONYMOUS),
        ],
    ),
    (Sysno::mremap, &[]),
    (Sysno::munmap, &[]),
    (Sysno::madvise, &[]),
    (Sysno::rt_sigreturn, &[]),
    (Sysno::rt_sigprocmask, &[]),
    (Sysno::sigaltstack, &[]),
    // The standard library's handler of stack overflows, and abort, restore the defaults.
    (Sysno::rt_sigaction, &[is(0, libc::SIGSEGV)]),
    (Sysno::rt_sigaction, &[is(0, libc::SIGBUS)]),
    (Sysno::rt_sigaction, &[is(0, libc::SIGABRT)]),
    // A one-time initialization wakes those who may wait for it, though nobody does.
    (
        Sysno::futex,
        &[is(1, libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG)],
    ),
    (Sysno::getpid, &[]),
    (Sysno::gettid, &[]),
    (Sysno::exit, &[]),
    (Sysno::exit_group, &[]),
];

/// Flags of a socket's type that change nothing about what it can reach.
const TYPE_FLAGS: i32 = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;

/// A socket of that family and type, with the type's own protocol.
const fn socket(family: i32, kind: i32) -> [Check; 3] {
    [is(0, family), bits(1, !TYPE_FLAGS, kind), is(2, 0)]
}

/// The host's sockets, as `fata_net::host` uses them.
const SOCKETS: &[Rule] = &[
    (Sysno::socket, &socket(libc::AF_INET, libc::SOCK_STREAM)),
    (Sysno::socket, &socket(libc::AF_INET, libc::SOCK_DGRAM)),
    (Sysno::socket, &socket(libc::AF_INET6, libc::SOCK_STREAM)),
    (Sysno::socket, &socket(libc::AF_INET6, libc::SOCK_DGRAM)),
    (Sysno::bind, &[]),
    (Sysno::listen, &[]),
    (Sysno::accept4, &[]),
    (Sysno::connect, &[]),
    (Sysno::shutdown, &[]),
    (Sysno::sendto, &[]),
    (Sysno::recvfrom, &[]),
    (Sysno::getsockname, &[]),
    (
        Sysno::setsockopt,
        &[is(1, libc::SOL_SOCKET), is(2, libc::SO_REUSEADDR)],
    ),
    (
        Sysno::setsockopt,
        &[is(1, libc::IPPROTO_TCP), is(2, libc::TCP_NODELAY)],
    ),
    (
        Sysno::setsockopt,
        &[is(1, libc::IPPROTO_TCP), is(2, libc::TCP_QUICKACK)],
    ),
    (
        Sysno::setsockopt,
        &[is(1, libc::IPPROTO_TCP), is(2, libc::TCP_DEFER_ACCEPT)],
    ),
    (
        Sysno::setsockopt,
        &[is(1, libc::IPPROTO_IPV6), is(2, libc::IPV6_V6ONLY)],
    ),
    (Sysno::ioctl, &[is(1, libc::FIONREAD as i32)]),
];

/// The threads of `fata_block::file`.
const DISKS: &[Rule] = &[
    (Sysno::pread64, &[]),
    (Sysno::preadv2, &[]),
    (Sysno::pwrite64, &[]),
    (Sysno::fdatasync, &[]),
    (Sysno::fallocate, &[]),
    // Locks and conditions of the standard library, locks of the C library's allocator, and the
    // wait for a thread's end.
    (
        Sysno::futex,
        &[is(1, libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG)],
    ),
    (
        Sysno::futex,
        &[is(1, libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG)],
    ),
    (
        Sysno::futex,
        &[is(1, libc::FUTEX_WAIT_BITSET | libc::FUTEX_CLOCK_REALTIME)],
    ),
    // The C library has an arena of memory for each thread, whose pages it makes writable as they
    // are needed.
    (Sysno::mprotect, &[bits(2, libc::PROT_EXEC, 0)]),
];

/// `tcgetwinsize` of `rustix`.
const TERMINAL: &[Rule] = &[(Sysno::ioctl, &[is(1, libc::TIOCGWINSZ as i32)])];

/// All that a program can be attached to.
const EVERYTHING: Profile = Profile {
    sockets: true,
    disks: true,
    terminal: true,
};

/// The rules of a profile.
fn rules(profile: Profile) -> impl Iterator<Item = &'static Rule> {
    let parts = [
        (true, ALWAYS),
        (profile.sockets, SOCKETS),
        (profile.disks, DISKS),
        (profile.terminal, TERMINAL),
    ];
    let allowed = parts.into_iter().filter(|(is_allowed, _)| *is_allowed);
    allowed.flat_map(|(_, rules)| rules)
}

/// Returns whether a call is allowed with some arguments, in some profile.
pub(super) fn is_known(call: Sysno) -> bool {
    call == Sysno::tgkill || rules(EVERYTHING).any(|(known, _)| *known == call)
}

/// The filter of a profile, for this process.
pub(super) fn filter(profile: Profile) -> Result<BpfProgram, Error> {
    let mut calls: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for (call, checks) in rules(profile) {
        add(&mut calls, *call, checks)?;
    }
    // Aborting is a signal to oneself.
    let own = rustix::process::getpid().as_raw_pid();
    add(
        &mut calls,
        Sysno::tgkill,
        &[is(0, own), is(2, libc::SIGABRT)],
    )?;
    let architecture = std::env::consts::ARCH.try_into()?;
    let filter = SeccompFilter::new(
        calls,
        SeccompAction::Trap,
        SeccompAction::Allow,
        architecture,
    )?;
    Ok(filter.try_into()?)
}

fn add(
    calls: &mut BTreeMap<i64, Vec<SeccompRule>>,
    call: Sysno,
    checks: &[Check],
) -> Result<(), BackendError> {
    let rules = calls.entry(call.id().into()).or_default();
    if !checks.is_empty() {
        let conditions = checks.iter().map(condition).collect::<Result<_, _>>()?;
        rules.push(SeccompRule::new(conditions)?);
    }
    Ok(())
}

fn condition(check: &Check) -> Result<SeccompCondition, BackendError> {
    let operator = SeccompCmpOp::MaskedEq(check.mask.cast_unsigned().into());
    SeccompCondition::new(
        check.argument,
        SeccompCmpArgLen::Dword,
        operator,
        check.value.cast_unsigned().into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_right_is_more() {
        let length = |profile| filter(profile).unwrap().len();
        let all_but = [
            Profile {
                sockets: false,
                ..EVERYTHING
            },
            Profile {
                disks: false,
                ..EVERYTHING
            },
            Profile {
                terminal: false,
                ..EVERYTHING
            },
        ];
        for profile in all_but {
            assert!(length(profile) < length(EVERYTHING), "{profile:?}");
        }
    }

    /// A call with and without checks would be allowed in every way.
    #[test]
    fn no_call_is_both_checked_and_not() {
        let rules: Vec<_> = rules(EVERYTHING).collect();
        for (index, (call, checks)) in rules.iter().enumerate() {
            for (other, others) in &rules[..index] {
                assert!(
                    call != other || !(checks.is_empty() || others.is_empty()),
                    "{call}"
                );
            }
        }
    }

    #[test]
    fn only_what_is_allowed_is_known() {
        for call in [Sysno::read, Sysno::socket, Sysno::pwrite64, Sysno::tgkill] {
            assert!(is_known(call), "{call}");
        }
        for call in [Sysno::openat, Sysno::execve, Sysno::ptrace, Sysno::clone] {
            assert!(!is_known(call), "{call}");
        }
    }
}
