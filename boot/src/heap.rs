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

pub use crate::home::heap::{LinkedList, Talc};

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
