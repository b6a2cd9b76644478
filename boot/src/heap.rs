//! The heap: the application names its allocator in one line.
//!
//! ```
//! #[global_allocator]
//! static HEAP: fata_boot::heap::LinkedList = fata_boot::heap::LinkedList::new();
//! # fn main() {}
//! ```
//!
//! In a virtual machine [`LinkedList`] is the smaller one: a first-fit list, for programs
//! with few blocks. [`Talc`] takes the same time however many blocks live, for programs
//! that serve. A process hands both to its system's allocator and counts.

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
