//! The interrupts that were raised and not dispatched yet: one bit each.
//!
//! The model of the idle loop (`task/tests/loom.rs`) includes this file, so what is atomic
//! is the including module's to say.

use super::{AtomicU64, Ordering};

/// Returns whether an interrupt waits to be dispatched.
pub(super) fn is_any(pending: &AtomicU64) -> bool {
    pending.load(Ordering::Acquire) != 0
}

/// Calls `signal` with the number of each interrupt since the last call.
pub(super) fn take(pending: &AtomicU64, signal: impl Fn(usize)) {
    let mut taken = pending.swap(0, Ordering::AcqRel);
    while taken != 0 {
        signal(taken.trailing_zeros() as usize);
        taken &= taken - 1;
    }
}
