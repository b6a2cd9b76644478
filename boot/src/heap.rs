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
pub use crate::home::heap::{LinkedList, Talc};
#[cfg(feature = "tally")]
pub use tallied::{LinkedList, Talc};

/// The same, which count what each part of the program allocates.
#[cfg(feature = "tally")]
mod tallied {
    use crate::home::heap as home;
    use crate::tallied::Tallied;

    /// The allocator of that name, which counts for each part of the program.
    pub type LinkedList = Tallied<home::LinkedList>;
    /// The allocator of that name, which counts for each part of the program.
    pub type Talc = Tallied<home::Talc>;

    impl Tallied<home::LinkedList> {
        /// The allocator, for a `#[global_allocator]` static.
        #[allow(clippy::new_without_default, reason = "made for a static")]
        pub const fn new() -> Self {
            Self::over(home::LinkedList::new())
        }
    }

    impl Tallied<home::Talc> {
        /// The allocator, for a `#[global_allocator]` static.
        #[allow(clippy::new_without_default, reason = "made for a static")]
        pub const fn new() -> Self {
            Self::over(home::Talc::new())
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
    crate::home::heap::used()
}

/// Bytes that the heap has, or `None` where the host gives what is asked for.
pub fn total() -> Option<usize> {
    crate::home::heap::total()
}
