//! Counts what each part of a program really allocates, in builds that are made for it.
//!
//! With the feature `tally` the allocator asks `current` to which part a block belongs, and
//! reports each block. Without it a [`scope`] costs nothing.

use crate::part::{Part, PerPart};
#[cfg(feature = "tally")]
use alloc::boxed::Box;
use core::future::Future;
#[cfg(feature = "tally")]
use core::future::poll_fn;
#[cfg(feature = "tally")]
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

#[cfg(feature = "tally")]
static CURRENT: AtomicUsize = AtomicUsize::new(Part::System.index());
#[cfg(feature = "tally")]
static ALLOCATED: PerPart<AtomicUsize> = [const { AtomicUsize::new(0) }; Part::ALL.len()];

/// Runs `work`, whose allocations are those of `part`.
#[inline]
pub fn scope<T>(part: Part, work: impl FnOnce() -> T) -> T {
    #[cfg(feature = "tally")]
    let outer = CURRENT.swap(part.index(), Relaxed);
    #[cfg(not(feature = "tally"))]
    let _ = part;
    let result = work();
    #[cfg(feature = "tally")]
    CURRENT.store(outer, Relaxed);
    result
}

/// A future that does what `future` does, and whose allocations are those of `part`.
#[inline]
pub fn scoped<F: Future>(part: Part, future: F) -> impl Future<Output = F::Output> {
    #[cfg(feature = "tally")]
    {
        let mut future = Box::pin(future);
        poll_fn(move |context| scope(part, || future.as_mut().poll(context)))
    }
    #[cfg(not(feature = "tally"))]
    {
        let _ = part;
        future
    }
}

/// The part to which a block belongs that is allocated now.
#[cfg(feature = "tally")]
pub fn current() -> u8 {
    CURRENT.load(Relaxed) as u8
}

/// Counts a block of a part, whose `current` number was kept with it.
#[cfg(feature = "tally")]
pub fn add(part: u8, bytes: usize) {
    if let Some(counter) = ALLOCATED.get(usize::from(part)) {
        counter.fetch_add(bytes, Relaxed);
    }
}

/// A block of a part was freed.
#[cfg(feature = "tally")]
pub fn subtract(part: u8, bytes: usize) {
    if let Some(counter) = ALLOCATED.get(usize::from(part)) {
        counter.fetch_sub(bytes, Relaxed);
    }
}

/// Bytes that each part has allocated, if they are counted.
pub(crate) fn allocated() -> Option<PerPart<usize>> {
    #[cfg(feature = "tally")]
    return Some(core::array::from_fn(|index| ALLOCATED[index].load(Relaxed)));
    #[cfg(not(feature = "tally"))]
    None
}
