//! Which vectors devices have: a pure function, so that it is tested in a process.

use core::sync::atomic::{AtomicU8, Ordering};

/// The next number below `end`, or `None` when all are given out, however often it is asked.
///
/// Tasks only: they run one at a time, and no interrupt handler gives numbers out.
pub(super) fn next(next: &AtomicU8, end: usize) -> Option<usize> {
    let number = next.load(Ordering::Relaxed);
    if usize::from(number) >= end {
        return None;
    }
    next.store(number + 1, Ordering::Relaxed);
    Some(number.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_given_out_once() {
        let numbers = AtomicU8::new(1);
        for expected in 1..64 {
            assert_eq!(next(&numbers, 64), Some(expected));
        }
        for _ in 0..1_000 {
            assert_eq!(next(&numbers, 64), None);
        }
    }
}
