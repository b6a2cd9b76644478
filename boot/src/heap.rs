//! The heap: [`main!`](crate::main) declares it, and takes the application's choice.
//!
//! ```
//! fata_boot::main!(app, heap = LinkedList);
//!
//! async fn app(_: fata_boot::Env) {}
//! ```
//!
//! In a virtual machine [`Talc`], which is used unless another one is named, takes the same time
//! however many blocks live, for programs that serve. [`LinkedList`] is smaller: a first-fit list,
//! for programs with few blocks. A process hands both to its system's allocator and counts.

#[cfg(not(feature = "tally"))]
pub use crate::platform::heap::{LinkedList, Talc};
#[cfg(feature = "tally")]
pub use tallied::{LinkedList, Talc};

/// The same, which count what each part of the program allocates.
#[cfg(feature = "tally")]
mod tallied {
    use crate::platform::heap as platform;
    use crate::tallied::Tallied;

    /// The allocator of that name, which counts for each part of the program.
    pub type LinkedList = Tallied<platform::LinkedList>;
    /// The allocator of that name, which counts for each part of the program.
    pub type Talc = Tallied<platform::Talc>;

    impl Tallied<platform::LinkedList> {
        /// The allocator, for a `#[global_allocator]` static.
        #[allow(clippy::new_without_default, reason = "made for a static")]
        pub const fn new() -> Self {
            Self::over(platform::LinkedList::new())
        }
    }

    impl Tallied<platform::Talc> {
        /// The allocator, for a `#[global_allocator]` static.
        #[allow(clippy::new_without_default, reason = "made for a static")]
        pub const fn new() -> Self {
            Self::over(platform::Talc::new())
        }
    }
}

/// How much of the heap is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Bytes that the program holds.
    pub used: usize,
    /// Bytes that the heap has, or `None` where the host gives what is asked for.
    pub total: Option<usize>,
}

/// Bytes of the heap that the program holds. Zero if it has chosen no allocator of this
/// module.
pub fn used() -> usize {
    crate::platform::heap::used()
}

/// Bytes that the heap has, or `None` where the host gives what is asked for.
pub fn total() -> Option<usize> {
    crate::platform::heap::total()
}
