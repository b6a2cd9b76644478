//! Primitives that wakers share across threads: the real ones, or those whose every
//! interleaving loom tries.

#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{AtomicBool, Ordering};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, Ordering};
#[cfg(loom)]
pub(crate) use model::Mutex;
#[cfg(not(loom))]
pub(crate) use spin::Mutex;

#[cfg(loom)]
mod model {
    use loom::sync::MutexGuard;

    /// loom's lock with the methods of `spin`'s.
    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().expect("a model that panicked has ended")
        }
    }
}
