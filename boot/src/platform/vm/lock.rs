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
            inner: Some(self.inner.lock()),
            enabled,
        }
    }
}

/// Gives the value, and on drop restores the interrupt flag.
pub(super) struct Guard<'a, T> {
    inner: Option<spin::MutexGuard<'a, T>>,
    enabled: bool,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.inner.as_ref().expect("held until the drop")
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.inner.as_mut().expect("held until the drop")
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.inner = None;
        if self.enabled {
            interrupts::enable();
        }
    }
}
