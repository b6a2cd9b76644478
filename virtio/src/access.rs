//! Accesses to memory that the device accesses at the same time. Tests watch and delay them.

use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};

/// A field of a queue.
pub(crate) trait Field {
    type Value;

    fn load(&self, order: Ordering) -> Self::Value;

    fn store(&self, value: Self::Value, order: Ordering);
}

macro_rules! field {
    ($atomic:ty, $value:ty) => {
        impl Field for $atomic {
            type Value = $value;

            #[inline(always)]
            fn load(&self, order: Ordering) -> $value {
                #[cfg(any(test, feature = "fake"))]
                if let Some(value) = crate::fake::schedule::before_load(self.as_ptr().addr()) {
                    return value as $value;
                }
                self.load(order)
            }

            #[inline(always)]
            fn store(&self, value: $value, order: Ordering) {
                #[cfg(any(test, feature = "fake"))]
                if crate::fake::schedule::delays_store(
                    self.as_ptr().addr(),
                    value.into(),
                    size_of::<$value>(),
                ) {
                    return;
                }
                self.store(value, order);
            }
        }
    };
}

field!(AtomicU16, u16);
field!(AtomicU32, u32);
field!(AtomicU64, u64);

/// Puts all accesses before it in front of all accesses after it, stores before loads, too.
#[inline(always)]
pub(crate) fn fence() {
    #[cfg(any(test, feature = "fake"))]
    crate::fake::schedule::fence();
    core::sync::atomic::fence(Ordering::SeqCst);
}
