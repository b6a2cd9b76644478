//! The one lock that code outside of the interrupt handlers may share with them.

use core::ops::{Deref, DerefMut};
use x86_64::instructions::interrupts;

/// A lock that keeps interrupts off while it is held, so that a handler never finds it
/// taken. Hold it for a few instructions only.
pub(super) struct InterruptLock<T> {
    inner: spin::Mutex<T>,
}

impl<T> InterruptLock<T> {
    pub(super) const fn new(value: T) -> Self {
        Self {
            inner: spin::Mutex::new(value),
        }
    }

    /// Turns interrupts off and takes the lock.
    pub(super) fn lock(&self) -> Guard<'_, T> {
        let enabled = interrupts::are_enabled();
        interrupts::disable();
        Guard {
            inner: self.inner.lock(),
            _flag: InterruptFlag { enabled },
        }
    }
}

/// Gives the value, and on drop restores the interrupt flag.
pub(super) struct Guard<'a, T> {
    // Fields are dropped in this order: the lock is free before a handler may run.
    inner: spin::MutexGuard<'a, T>,
    _flag: InterruptFlag,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

/// The interrupt flag as it was before the lock was taken. Drop restores it.
struct InterruptFlag {
    enabled: bool,
}

impl Drop for InterruptFlag {
    fn drop(&mut self) {
        if self.enabled {
            interrupts::enable();
        }
    }
}
